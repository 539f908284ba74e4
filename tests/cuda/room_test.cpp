// What is told of a GPU's memory before any work.
#include "btm/plan/room.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "btm/core/error.h"
#include "btm/train/device.h"

namespace btm {
namespace {

TEST(RequireMemory, CountsTheModelsThatShareAGpu) {
  const double memory = find_gpu()->memory_bytes;
  const int gpus = find_gpu()->count;
  require_memory({.share = {3 * gpus, 1}, .memory = {1e6, memory / 3}});
  require_memory({.share = {1, 1}, .ranks = gpus, .memory = {1e6, memory}});
  try {
    require_memory({.share = {3 * gpus + 1, 1}, .memory = {1e6, memory / 3}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(std::string(e.what()),
                testing::AllOf(testing::HasSubstr("training 4 models"), testing::HasSubstr("its GPU has"),
                               testing::HasSubstr("lower launcher.workers, set training.recompute")));
  }
}

}  // namespace
}  // namespace btm
