#include "btm/plan/launch/workers.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "btm/core/cores.h"
#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/train/device.h"

namespace btm {
namespace {

std::string default_starter(const LauncherSettings& settings) {
  // --wait: without it, ranks whose partner died wait for it to the job's time limit (mpirun ends them by itself).
  if (settings.kind == LauncherKind::slurm) return "srun --mpi=pmix --wait=10";
  return fmt::format("mpirun -np {} --bind-to none", settings.ranks);  // a rank's threads may use any core
}

// Of each of those that share a GPU: twice its part. With all at work they are as fast as with their part alone, and
// the last one left has as much.
int gpu_share(int workers) {
  return std::min(100, (200 + workers - 1) / workers);
}

}  // namespace

// Models on this machine split its cores, or its GPUs.
WorkerShare share_of(const LauncherSettings& settings, Precision precision, int models) {
  if (settings.kind == LauncherKind::slurm) {
    return {std::min(models, settings.workers.value_or(models)), settings.threads.value_or(1)};
  }
  if (device_for(settings.device, precision) == Device::cuda) {
    const int gpus = find_gpu().value_or(Gpu{}).count;
    if (gpus < settings.ranks) {
      throw input_error(
          "launcher.ranks is {}, each with a GPU of its own, but here are {}; lower it, or set launcher.device: cpu",
          settings.ranks, gpus);
    }
    const int groups = gpus / settings.ranks, workers = std::min(models, settings.workers.value_or(groups));
    return {workers, settings.threads.value_or(1), true, gpu_share((workers + groups - 1) / groups)};
  }
  const int workers = std::min(models, settings.workers.value_or(std::max(1, usable_cores() / settings.ranks)));
  return {workers, settings.threads.value_or(std::max(1, usable_cores() / (workers * settings.ranks)))};
}

std::vector<std::string> worker_command(const fs::path& program, const LauncherSettings& settings) {
  std::vector<std::string> words;
  if (settings.ranks > 1) {
    std::istringstream starter(settings.mpi.empty() ? default_starter(settings) : settings.mpi);
    for (std::string word; starter >> word;) words.push_back(word);
  }
  words.push_back(program);
  return words;
}

std::vector<std::string> worker_options(const LauncherSettings& settings) {
  std::vector<std::string> words = {"--quiet", "--wait"};
  if (settings.ranks > 1) words.emplace_back("--mpi");
  return words;
}

std::string last_line(const fs::path& log) {
  std::istringstream text(fs::exists(log) ? read_file(log) : "");
  std::string last;
  for (std::string line; std::getline(text, line);) {
    const bool says_something = std::ranges::any_of(line, [](unsigned char c) { return std::isalnum(c); });
    if (says_something) last = line.substr(0, line.find_last_not_of(" \r") + 1);  // mpirun ends with a ruler
  }
  constexpr std::string_view kOwn = "btm: ";  // as this program will begin its own line
  if (last.starts_with(kOwn)) last.erase(0, kOwn.size());
  return last.empty() ? "it could say nothing; is the disk full?" : last;
}

}  // namespace btm
