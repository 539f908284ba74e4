// The commands of Slurm (https://slurm.schedmd.com): sbatch, squeue, sacct, as functions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace btm {

// A job or a task of a job array.
struct SlurmJob {
  std::string state;    // PENDING, RUNNING, FAILED, ... as squeue names them
  int exit_status = 0;  // as waitpid gives it
};

// Queues the batch script; gives the job's id. Throws Error(input) with what sbatch says.
std::string submit_job(const std::vector<std::string>& options, std::string_view script);

// This user's jobs that Slurm knows, those that ended a few minutes ago among them, by id ("17", or "17_3" for task 3
// of array 17). Throws Error(failed) when the controller can't be reached.
std::map<std::string, SlurmJob> known_jobs();

// A job that ended longer ago, out of the accounting: its state and exit status; the state is "" where there is none.
SlurmJob accounted_job(const std::string& job);

bool is_alive(const SlurmJob& job);  // waits, runs, or will again

}  // namespace btm
