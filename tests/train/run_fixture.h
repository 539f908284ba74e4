// Small runs for the tests of the trainer.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "btm/train/job.h"
#include "btm/train/result.h"
#include "btm/train/run_training.h"
#include "tests/support/temporary_folder.h"

namespace btm::test {

// Writes FOLDER/{train,dev} with documents that count up modulo the vocabulary.
void write_domain(const std::filesystem::path& folder, int vocab_size, int train_tokens, int dev_tokens, int stride);

// Two domains and a tiny model, 12 updates of 4 sequences.
TrainingJob small_job(const TemporaryFolder& folder);

template <class T>
std::vector<T> read_array(const std::filesystem::path& path) {
  std::string bytes = read(path);
  std::vector<T> values(bytes.size() / sizeof(T));
  std::copy_n(bytes.data(), values.size() * sizeof(T), reinterpret_cast<char*>(values.data()));
  return values;
}

// Runs the job in this folder to its end.
TrainingResult train(const std::filesystem::path& run, const TrainingJob& job);

std::vector<Json> read_lines(const std::filesystem::path& path);

}  // namespace btm::test
