#include "btm/mixture/text_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace btm {
namespace {

using testing::ElementsAre;

struct Taken {
  std::vector<std::string> pieces;
  TextStream::Emit emit() {
    return [this](std::string_view text) { pieces.emplace_back(text); };
  }
};

TEST(TextStream, HoldsBackACharacterUntilItIsWhole) {
  Taken taken;
  TextStream stream({}, taken.emit());
  for (const char* bytes : {"a\xe4", "\xb8", "\x96", "b\xf0\x9f", "\x98\x80!"}) stream.add(bytes);
  stream.finish();
  EXPECT_THAT(taken.pieces, ElementsAre("a", "\xe4\xb8\x96", "b", "\xf0\x9f\x98\x80!"));
}

TEST(TextStream, ReplacesBytesThatAreNoCharacter) {
  Taken taken;
  TextStream stream({}, taken.emit());
  stream.add(
      "a\x80"
      "b\xe4\xb8");
  stream.finish();
  EXPECT_EQ(testing::PrintToString(taken.pieces), testing::PrintToString(std::vector<std::string>{"a\xef\xbf\xbd"
                                                                                                  "b",
                                                                                                  "\xef\xbf\xbd"}));
}

TEST(TextStream, StopsBeforeAStopStringCutOverPieces) {
  Taken taken;
  TextStream stream({"\n\n", "END"}, taken.emit());
  EXPECT_FALSE(stream.add("one\n"));
  EXPECT_FALSE(stream.add("two E"));
  EXPECT_FALSE(stream.add("N"));
  EXPECT_TRUE(stream.add("D more"));
  EXPECT_TRUE(stream.add("after"));
  stream.finish();
  EXPECT_THAT(taken.pieces, ElementsAre("one", "\ntwo "));
}

TEST(TextStream, TakesTheEarliestStopString) {
  Taken taken;
  TextStream stream({"c", "b"}, taken.emit());
  EXPECT_TRUE(stream.add("abc"));
  EXPECT_THAT(taken.pieces, ElementsAre("a"));
}

TEST(TextStream, GivesWhatWasHeldForAStopStringThatDidNotCome) {
  Taken taken;
  TextStream stream({"", "STOP"}, taken.emit());
  EXPECT_FALSE(stream.add("ST"));
  EXPECT_TRUE(taken.pieces.empty());
  stream.finish();
  EXPECT_THAT(taken.pieces, ElementsAre("ST"));
}

}  // namespace
}  // namespace btm
