#include "btm/plan/launch/slurm_script.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "btm/core/process.h"
#include "btm/plan/launch/workers.h"

namespace btm {
namespace {

// A trap runs when `wait` returns, which gives the signal's code then: the worker's own comes from waiting again. Exit
// code 130: saved. SLURM_JOB_ID of an array's last task is the whole array's.
constexpr char kTraining[] = R"(#!/bin/bash
runs=({runs})
run=${{runs[$SLURM_ARRAY_TASK_ID]}}
task=${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID
exec >>"$run/log.txt" 2>&1
export OMP_WAIT_POLICY=passive
{command} train "$run" {options} &
worker=$!
stop=
trap 'stop=1; kill -USR1 $worker' TERM USR1
wait $worker; code=$?
while [[ $stop ]]; do stop=; wait $worker; code=$?; done
if ((code == 130)) && [[ $(squeue --noheader --jobs="$task" --format=%T) == RUNNING ]]; then  # not cancelled
  scontrol requeue "$task"
fi
exit $code
)";

std::string line_of(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) quoted.push_back(shell_word(word));
  return fmt::format("{}", fmt::join(quoted, " "));
}

}  // namespace

std::string training_script(const std::filesystem::path& program, const LauncherSettings& settings,
                            const std::vector<std::filesystem::path>& runs) {
  const std::vector<std::string> folders(runs.begin(), runs.end());
  return fmt::format(kTraining, fmt::arg("runs", line_of(folders)),
                     fmt::arg("command", line_of(worker_command(program, settings))),
                     fmt::arg("options", fmt::join(worker_options(settings), " ")));
}

std::string command_script(const std::vector<std::string>& command) {
  return fmt::format("#!/bin/bash\nexport {}=1\nexec {}\n", kGoesOn, line_of(command));
}

}  // namespace btm
