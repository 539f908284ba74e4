#include "btm/report/text_table.h"

#include <gtest/gtest.h>

namespace btm {
namespace {

TEST(TextTable, AlignsColumns) {
  TextTable table{{{"model", Align::left}, {"tokens"}}, {{"ensemble", "4M"}, {"top_1", "12.5M"}}};
  EXPECT_EQ(to_text(table),
            "model     tokens\n"
            "────────────────\n"
            "ensemble      4M\n"
            "top_1      12.5M\n");
}

TEST(TextTable, EmptyRowIsARuleAndShortRowsAreFilled) {
  TextTable table{{{"a", Align::left}, {"b"}}, {{"x"}, {}, {"y", "1"}}};
  EXPECT_EQ(to_text(table),
            "a  b\n"
            "────\n"
            "x\n"
            "────\n"
            "y  1\n");
}

TEST(TextTable, WithoutRowsShowsTheHead) {
  EXPECT_EQ(to_text({{{"a", Align::left}, {"b"}}, {}}), "a  b\n────\n");
}

TEST(TextTable, CountsCharactersAndNotBytes) {
  EXPECT_EQ(display_width(""), 0);
  EXPECT_EQ(display_width("naïve"), 5);
  EXPECT_EQ(display_width("日本"), 4);
  EXPECT_EQ(display_width("e\xcc\x81"), 1);  // e and a combining accent
  EXPECT_EQ(display_width("a\xff"), 2);
  TextTable table{{{"name", Align::left}, {"n"}}, {{"日本", "1"}, {"ä", "2"}}};
  EXPECT_EQ(to_text(table),
            "name  n\n"
            "───────\n"
            "日本  1\n"
            "ä     2\n");
}

TEST(TextTable, MarkdownEscapesAndAligns) {
  TextTable table{{{"key", Align::left}, {"value"}}, {{"a|b", "1"}, {}, {"c\nd", "22"}, {"a_b`<x", "3"}}};
  EXPECT_EQ(to_markdown(table),
            "| key      | value |\n"
            "| -------- | ----: |\n"
            "| a\\|b     |     1 |\n"
            "| c d      |    22 |\n"
            "| a_b\\`\\<x |     3 |\n");
}

}  // namespace
}  // namespace btm
