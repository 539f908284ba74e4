// RUN/slurm.json: the job that works on a run, for whoever asks later.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "btm/core/settings.h"

namespace btm {

struct SlurmRecord {
  std::string job;          // "17_3": task 3 of array 17
  int attempts = 0;         // jobs in a row, this one among them, that began at `update`
  std::int64_t update = 0;  // of the last checkpoint when the job was sent
  std::string failed = {};  // why no other job is sent; "": one is at work
  int exit_code = 0;        // that this means
};
template <class F>
void visit(SlurmRecord& s, F&& f) {
  f("job", s.job, "id of the job: of the array and of the task");
  f("attempts", s.attempts, "jobs in a row, this one among them, that began at the same update");
  f("update", s.update, "of the last checkpoint when the job was sent");
  f("failed", s.failed, "why no other job is sent; empty: one is at work");
  f("exit_code", s.exit_code, "that this means");
}

std::optional<SlurmRecord> load_slurm_record(const std::filesystem::path& run);  // nullopt: none
void save_slurm_record(const std::filesystem::path& run, const SlurmRecord& record);

}  // namespace btm
