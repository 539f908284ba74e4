// Scores of a GPU beside those of a CPU.
#include "btm/mixture/score_store.h"

#include <gtest/gtest.h>

#include "tests/cuda/small_model.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

TEST(ScoreStore, KeepsTheScoresOfAGpuApartFromTheCpus) {
  const test::LittleMemory memory;
  const test::TemporaryFolder folder;
  const Model model = random_model(test::small_config(), 1);
  const Member member{"a", {}, "its hash"};
  const Text text = make_text("text", {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const ScoreStore cpu(folder / "scores", 4, {Device::cpu, 1}),
      gpu(folder / "scores", 4, {Device::automatic, 1, Precision::automatic});
  const StoredScores here = cpu.score(member, *cpu.scorer(member, model), text);
  EXPECT_FALSE(gpu.has(member, text));
  const StoredScores there = gpu.score(member, *gpu.scorer(member, model), text);
  EXPECT_EQ(cpu.read(member, text).log_probs, here.log_probs);
  EXPECT_EQ(gpu.read(member, text).log_probs, there.log_probs);
  EXPECT_NE(here.log_probs, there.log_probs);
}

}  // namespace
}  // namespace btm
