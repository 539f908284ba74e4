#include "btm/plan/launch/gpu_sharing.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cstdlib>
#include <string_view>
#include <system_error>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/log.h"
#include "btm/core/process.h"

namespace btm {
namespace {

constexpr const char* kSeconds = "30";  // to start or to end, at most

bool set_up_by_someone() {
  return std::getenv("CUDA_MPS_PIPE_DIRECTORY") || fs::exists("/tmp/nvidia-mps/control");
}

// Calls NVIDIA's program; what went wrong, or nothing. The daemon and its clients must see the GPUs under the same
// numbers: all of them.
std::string control(const std::vector<std::string>& environment, const std::vector<std::string>& options,
                    std::string_view input) {
  std::vector<std::string> words = {"env", "-u", "CUDA_VISIBLE_DEVICES"};
  words.insert(words.end(), environment.begin(), environment.end());
  words.insert(words.end(), {"timeout", kSeconds, "nvidia-cuda-mps-control"});
  words.insert(words.end(), options.begin(), options.end());
  try {
    const ProcessResult result = run_process(words, input);
    if (result.code == 0) return "";
    return result.errors.empty() ? fmt::format("exit code {}", result.code) : result.errors;
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace

GpuSharing::GpuSharing() {
  if (set_up_by_someone()) return;
  std::string folder = "/tmp/btm-mps-XXXXXX";  // short: the name of a socket has at most 107 characters
  std::string problem = "no folder in /tmp";
  if (::mkdtemp(folder.data())) {
    folder_ = folder;
    environment_ = {"CUDA_MPS_PIPE_DIRECTORY=" + folder, "CUDA_MPS_LOG_DIRECTORY=" + folder};
    problem = control(environment_, {"-d"}, "");
  }
  if (problem.empty()) return;
  environment_.clear();
  log_warning(fmt::format("trainings that share a GPU take turns on it, as NVIDIA's MPS could not be started: {}",
                          problem.substr(0, problem.find('\n'))));
}

GpuSharing::~GpuSharing() {
  if (!environment_.empty()) control(environment_, {}, "quit\n");
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

}  // namespace btm
