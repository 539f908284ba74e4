// What an ensemble holds in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "btm/core/error.h"
#include "btm/mixture/ensemble.h"
#include "btm/model/checkpoint.h"
#include "btm/model/decoder.h"
#include "tests/mixture/generate_cases.h"

namespace btm {
namespace {

using test::cases;
using test::experts;
using test::greedy;
using test::ids;
using test::ignore;
using test::tokenizer_of;
using test::weights_of;
using ::testing::HasSubstr;

// Large enough that its weights take whole pages.
ModelConfig wide_config() {
  ModelConfig config = load_config(test::oracle_folder() / "gpt2");
  config.width = 192;
  config.hidden = 768;
  return config;
}

// That an expert takes for a sequence: its decoder's buffers and a token's log-probabilities.
std::int64_t bytes_beside_weights(const ModelConfig& config) {
  return static_cast<std::int64_t>(Decoder::bytes(config, 1, config.context) +
                                   static_cast<std::size_t>(config.vocab_size) * sizeof(float));
}

TEST(EnsembleMemory, WithLittleMemoryTheTextIsTheSame) {
  Json c = cases()["ensemble"]["prompts"][1];
  Tokenizer tokenizer = tokenizer_of("expert_0");
  MixtureWeights weights = weights_of(c["runs"][0]);
  test::TemporaryFolder folder;
  std::vector<Member> members;  // as btm writes them: those can be mapped
  for (const Member& expert : experts()) {
    make_folders(folder / expert.name);
    save_model(folder / expert.name, load_member(expert), kNoToken);
    members.push_back(single_member(expert.name, folder / expert.name, expert.name));
    EXPECT_TRUE(load_member(members.back()).parameters.mapped());
  }
  Ensemble whole(members, weights, {});
  EXPECT_EQ(whole.resident(), 3u);
  auto expected = generate(whole, tokenizer, {c["prompt"]}, greedy(30), ignore).front();
  Model model = load_model(test::oracle_folder() / "expert_0");
  auto one = static_cast<std::int64_t>(model.parameters.size() * sizeof(float));
  const std::int64_t beside = 3 * bytes_beside_weights(model.config);
  for (auto [memory, resident] : {std::pair(beside + one, 0u), std::pair(beside + 2 * one, 1u)}) {
    Ensemble small(members, weights, {.memory = memory});
    EXPECT_EQ(small.resident(), resident);
    EXPECT_EQ(ids(generate(small, tokenizer, {c["prompt"]}, greedy(30), ignore).front()), ids(expected));
  }
  try {
    Ensemble(members, weights, {.memory = beside + one - 1});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(e.what(), HasSubstr("--memory"));
  }
}

// Bytes of the file that this process holds in memory.
std::int64_t resident_bytes(const std::filesystem::path& file) {
  const std::string path = std::filesystem::canonical(file);
  std::istringstream maps(read_file("/proc/self/smaps"));
  std::int64_t sum = 0, kilobytes = 0;
  bool own = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ')) own = line.ends_with(" " + path);
    if (own && std::sscanf(line.c_str(), "Rss: %ld kB", &kilobytes) == 1) sum += kilobytes * 1024;
  }
  return sum;
}

// The likeliest ones stay; of the others there is nothing left when all threads are done with them.
TEST(EnsembleMemory, HoldsNoMoreWeightsThanItsMemoryIsFor) {
  test::TemporaryFolder folder;
  const ModelConfig config = wide_config();
  std::vector<Member> members;
  for (std::uint64_t j = 0; j < 4; ++j) {
    const std::string name = fmt::format("expert{}", j);
    make_folders(folder / name);
    save_model(folder / name, random_model(config, j), kNoToken);
    members.push_back(single_member(name, folder / name, name));
  }
  const std::int64_t one = parameter_count(config) * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t beside = 4 * bytes_beside_weights(config);
  const MixtureWeights weights{{0.1, 0.2, 0.4, 0.3}};
  const Tokenizer tokenizer = tokenizer_of("gpt2");
  const std::vector<TokenId> expected = [&] {
    Ensemble whole(members, weights, {});
    return ids(generate(whole, tokenizer, {"nub"}, greedy(8), ignore).front());
  }();
  struct Case {
    int threads;
    std::int64_t room;  // for so many experts
    std::set<int> stay;
  };
  for (const Case& c : std::vector<Case>{{1, 2, {2}}, {1, 3, {2, 3}}, {2, 2, {}}, {2, 3, {2}}}) {
    SCOPED_TRACE(fmt::format("{} threads, room for {}", c.threads, c.room));
    Ensemble small(members, weights, {.threads = c.threads, .memory = beside + c.room * one});
    int looks = 0;
    const auto look = [&](std::size_t, std::string_view, int) {
      ++looks;
      for (int j = 0; j < 4; ++j) {
        const std::int64_t held = resident_bytes(folder / fmt::format("expert{}/model.safetensors", j));
        if (c.stay.contains(j)) {
          EXPECT_GT(held, one / 2) << j;
        } else {
          EXPECT_EQ(held, 0) << j;
        }
      }
    };
    EXPECT_EQ(ids(generate(small, tokenizer, {"nub"}, greedy(8), look).front()), expected);
    EXPECT_GT(looks, 0);
    EXPECT_EQ(small.resident(), c.stay.size());
  }
}

// The most that this process has held in memory since "5" was written to its clear_refs.
std::int64_t most_resident_bytes() {
  std::istringstream status(read_file("/proc/self/status"));
  std::int64_t kilobytes = 0;
  for (std::string line; std::getline(status, line);) {
    if (std::sscanf(line.c_str(), "VmHWM: %ld kB", &kilobytes) == 1) break;
  }
  return kilobytes * 1024;
}

// Each expert's weights are read when it is made, to be checked.
TEST(EnsembleMemory, HoldsNoMoreWhileItIsMade) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer's own memory is this process's, too";
#endif
  test::TemporaryFolder folder;
  const ModelConfig config = wide_config();
  save_model(folder.path(), random_model(config, 1), kNoToken);
  const std::vector<Member> members(24, single_member("model", folder.path(), ""));
  const std::int64_t one = parameter_count(config) * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t beside = 24 * bytes_beside_weights(config);
  std::ofstream("/proc/self/clear_refs") << "5";
  const std::int64_t before = most_resident_bytes();
  const Ensemble ensemble(members, {std::vector(24, 1 / 24.0)}, {.memory = beside + 2 * one});
  EXPECT_LT(most_resident_bytes() - before, beside + 12 * one) << "half of them";
}

TEST(EnsembleMemory, NarrowWeightsTakeLessMemory) {
  test::TemporaryFolder folder;
  const ModelConfig config = wide_config();
  save_model(folder.path(), random_model(config, 1), kNoToken);
  std::vector<Member> members(4, single_member("model", folder.path(), ""));
  const std::int64_t beside = 4 * bytes_beside_weights(load_config(folder.path()));
  auto whole = static_cast<std::int64_t>(load_model(folder.path()).parameters.size() * sizeof(float));
  auto resident = [&](GenerationPrecision precision) {
    return Ensemble(members, {std::vector(4, 0.25)}, {.memory = beside + 2 * whole, .precision = precision}).resident();
  };
  EXPECT_EQ(resident(GenerationPrecision::fp32), 1u);  // with room to read another
  EXPECT_EQ(resident(GenerationPrecision::int8), 4u);
}

}  // namespace
}  // namespace btm
