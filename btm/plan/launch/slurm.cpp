#include "btm/plan/launch/slurm.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "btm/core/error.h"
#include "btm/core/process.h"

namespace btm {
namespace {

constexpr std::string_view kSpace = " \t\n";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(separator, at), text.size());
    parts.push_back(trimmed(text.substr(at, end - at)));
    at = end + 1;
  }
  return parts;
}

// What a command of Slurm complains of, in one line.
std::string complaint(const ProcessResult& result) {
  const std::string_view text = trimmed(result.errors);
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

std::string submit_job(const std::vector<std::string>& options, std::string_view script) {
  std::vector<std::string> words = {"sbatch", "--parsable"};
  words.insert(words.end(), options.begin(), options.end());
  const ProcessResult result = run_process(words, script);
  if (result.code != 0) throw input_error("Slurm took no job: {} (launcher.kind is slurm)", complaint(result));
  const std::string_view answer = trimmed(result.output);  // JOB, or JOB;CLUSTER
  return std::string(answer.substr(0, answer.find(';')));
}

std::map<std::string, SlurmJob> known_jobs() {
  // The widths are of the fields' longest values; shorter ones are padded.
  const ProcessResult result = run_process(
      {"squeue", "--me", "--noheader", "--array", "--states=all", "--Format=JobArrayID:64|,State:32|,exit_code:16|"});
  if (result.code != 0) throw failure("squeue: {}", complaint(result));
  std::map<std::string, SlurmJob> jobs;
  for (const std::string_view line : split(result.output, '\n')) {
    const auto fields = split(line, '|');
    if (fields.size() < 3) continue;
    SlurmJob job{std::string(fields[1]), 0};
    std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), job.exit_status);
    jobs[std::string(fields[0])] = std::move(job);
  }
  return jobs;
}

SlurmJob accounted_job(const std::string& job) {
  const ProcessResult result =
      run_process({"sacct", "--noheader", "--parsable2", "--allocations", "--format=State,ExitCode", "--jobs=" + job});
  const auto fields = split(result.output, '|');
  if (result.code != 0 || fields.size() < 2) return {};
  SlurmJob found;
  found.state = fields[0].substr(0, fields[0].find_first_of(kSpace));  // "CANCELLED by 1000" is CANCELLED
  const auto codes = split(fields[1], ':');                            // 2:0, or 0:9 for a signal
  const auto number = [&codes](std::size_t i) {
    int value = 0;
    if (i < codes.size()) std::from_chars(codes[i].data(), codes[i].data() + codes[i].size(), value);
    return value;
  };
  found.exit_status = (number(0) << 8) | number(1);
  return found;
}

bool is_alive(const SlurmJob& job) {
  constexpr std::array kEnded = {"COMPLETED", "CANCELLED",     "FAILED",    "TIMEOUT",  "NODE_FAIL",
                                 "PREEMPTED", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "REVOKED"};
  return std::ranges::find(kEnded, job.state) == kEnded.end();
}

}  // namespace btm
