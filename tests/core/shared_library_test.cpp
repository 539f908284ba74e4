#include "btm/core/shared_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "btm/core/error.h"

namespace btm {
namespace {

void expect_refused(const std::function<void()>& opening, const char* words, const char* name) {
  try {
    opening();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr(words), testing::HasSubstr(name)));
  }
}

TEST(SharedLibrary, OpensTheFirstThatIsThere) {
  const SharedLibrary math({"/nowhere/libm.so.6", "libm.so.6"}, "cosines");
  EXPECT_DOUBLE_EQ(math.get<double(double)>("cos")(0), 1);
}

TEST(SharedLibrary, SaysWhatIsMissing) {
  expect_refused([] { SharedLibrary({"/nowhere/libm.so.6"}, "no cosines"); }, "no cosines: ", "/nowhere/libm.so.6");
  expect_refused([] { SharedLibrary({"libm.so.6"}, "cosines").get<void()>("no_such_function"); }, "libm.so.6 has no ",
                 "no_such_function");
}

}  // namespace
}  // namespace btm
