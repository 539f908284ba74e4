#include "btm/plan/slurm_script.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "btm/core/process.h"

namespace btm {
namespace {

// A trap runs when `wait` returns, which gives the signal's code then: the worker's own comes from waiting again. A
// copy of the task that a lost node left running holds the run's lock: --wait waits for it. Exit code 130: saved.
constexpr char kTraining[] = R"(#!/bin/bash
runs=({runs})
run=${{runs[$SLURM_ARRAY_TASK_ID]}}
exec >>"$run/log.txt" 2>&1
export OMP_WAIT_POLICY=passive
{program} train "$run" --quiet --wait &
worker=$!
stop=
trap 'stop=1; kill -TERM $worker' TERM USR1
wait $worker; code=$?
while [[ $stop ]]; do stop=; wait $worker; code=$?; done
if ((code == 130)) && [[ $(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T) == RUNNING ]]; then  # not cancelled
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
)";

}  // namespace

std::string training_script(const std::filesystem::path& program, const std::vector<std::filesystem::path>& runs) {
  std::vector<std::string> words;
  for (const auto& run : runs) words.push_back(shell_word(run));
  return fmt::format(kTraining, fmt::arg("runs", fmt::join(words, " ")), fmt::arg("program", shell_word(program)));
}

std::string command_script(const std::vector<std::string>& command) {
  std::vector<std::string> words;
  for (const std::string& word : command) words.push_back(shell_word(word));
  return fmt::format("#!/bin/bash\nexec {}\n", fmt::join(words, " "));
}

}  // namespace btm
