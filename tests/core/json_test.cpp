#include "btm/core/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "btm/core/error.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::HasSubstr;

std::string nested(int levels) {
  return R"({"a": )" + std::string(static_cast<std::size_t>(levels), '[') +
         std::string(static_cast<std::size_t>(levels), ']') + "}";
}

std::string message_of(const std::string& text) {
  try {
    parse_json_object(text, "config.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    return e.what();
  }
  return "no error";
}

TEST(Json, OfAnObjectKeepsTheOrderOfKeys) {
  EXPECT_EQ(parse_json_object(R"({"b": 1, "a": [2]})", "x").dump(), R"({"b":1,"a":[2]})");
}

TEST(Json, WhatIsNoObjectOrNestedTooDeepIsRefused) {
  EXPECT_THAT(message_of("{\"a\": "), AllOf(HasSubstr("config.json: not valid JSON"), HasSubstr("column")));
  EXPECT_THAT(message_of("[]"), HasSubstr("config.json: not a JSON object"));
  EXPECT_EQ(message_of(nested(50)), "no error");
  EXPECT_THAT(message_of(nested(1'000'000)), HasSubstr("config.json: nested too deep"));
  const std::string brackets(100, '[');
  EXPECT_EQ(message_of(R"({"a": "\"\\)" + brackets + R"(", ")" + brackets + R"(": 1})"), "no error");
}

TEST(Json, FilesThatSayTheSameHaveTheSameContent) {
  test::TemporaryFolder folder;
  const auto same = [&](const std::string& a, const std::string& b) {
    return same_content(folder.write("a", a), folder.write("b", b));
  };
  EXPECT_TRUE(same("no json", "no json"));
  EXPECT_FALSE(same("no json", "none"));
  EXPECT_TRUE(same(R"({"a": 1, "b": 2})", R"({"b":2,"a":1})"));
  EXPECT_FALSE(same(R"({"a": 1})", R"({"a": 2})"));
  EXPECT_FALSE(same(nested(1'000'000), nested(1'000'000) + " ")) << "compared, they would take all of the stack";
}

}  // namespace
}  // namespace btm
