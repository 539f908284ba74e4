// What is told of a GPU's memory before any work.
#include "btm/plan/forecast.h"

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
  require_memory({1e6, memory / 3}, 3 * gpus, 1, false);
  require_memory({1e6, memory}, 1, gpus, false);
  try {
    require_memory({1e6, memory / 3}, 3 * gpus + 1, 1, false);
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
