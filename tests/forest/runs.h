// Finished runs of tiny models, as the trainer leaves them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "btm/core/error.h"
#include "btm/forest/forest.h"
#include "btm/model/config.h"

namespace btm::test {

ModelConfig tiny_config();

// RUN/model (random weights from `seed`, the tokenizer's bytes as given), RUN/metrics.jsonl, RUN/result.json.
void write_run(const std::filesystem::path& run, std::uint64_t seed, const ModelConfig& config = tiny_config(),
               const std::string& tokenizer = "{}");

ExpertInfo expert_info(const std::string& name, int cycle, std::vector<Parent> parents);

// A forest with a seed.
ForestPaths plant(const std::filesystem::path& root);

// Trains, so to speak, and merges: weights are a function of the name and `seed`.
void grow_expert(const ForestPaths& paths, const std::string& name, int cycle, std::vector<Parent> parents,
                 std::uint64_t seed = 0);

// What the function's Error(input) says; fails the test if it throws nothing.
template <class F>
std::string input_message(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace btm::test
