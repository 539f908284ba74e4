#include "btm/report/data_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "btm/report/quality_text.h"

namespace btm {
namespace {

using testing::HasSubstr;
using testing::Not;

DataTable small_table() {
  DataTable table{"t", "What a <row> is", {{"", "model", Align::left}, {"perplexity", "all", Align::right, true}}, {}};
  table.columns.push_back({"use", "memory"});
  for (auto [name, value] : {std::pair{"<b>", 40.001}, {"a, \"b\"", 40.004}, {"c", 50.0}}) {
    table.rows.push_back({text_cell(name), number_cell({{"p", value}}, "p", perplexity_text), {}});
  }
  return table;
}

TEST(DataTable, NumbersKeepAllDigitsForSortingAndCsv) {
  DataTable table = small_table();
  EXPECT_EQ(table.rows[0][1].text, "40.00");
  EXPECT_THAT(to_html(table), HasSubstr("data-value=\"40.001\">40.00<"));
  EXPECT_EQ(number_cell(Json::object(), "p", perplexity_text).text, "");
  EXPECT_EQ(number_cell({{"p", nullptr}}, "p", perplexity_text).value, std::nullopt);
  EXPECT_EQ(csv_number(0.1), "0.1");
  EXPECT_EQ(csv_number(1e23), "1e+23");
}

TEST(DataTable, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(to_csv(small_table()),
            "model,\"perplexity, all\",\"use, memory\"\r\n"
            "<b>,40.001,\r\n"
            "\"a, \"\"b\"\"\",40.004,\r\n"
            "c,50,\r\n");
  EXPECT_EQ(csv_line({"a\nb", "c\rd", ""}), "\"a\nb\",\"c\rd\",\r\n");
}

TEST(DataTable, MarksAllThatShowTheLeastValue) {
  DataTable table = small_table();
  mark_best(table);
  EXPECT_TRUE(table.rows[0][1].best);
  EXPECT_TRUE(table.rows[1][1].best);
  EXPECT_FALSE(table.rows[2][1].best);
  EXPECT_FALSE(table.rows[0][0].best);
}

TEST(DataTable, LeavesOutColumnsWithoutCells) {
  DataTable table = small_table();
  drop_empty_columns(table);
  EXPECT_EQ(table.columns.size(), 2u);
  EXPECT_EQ(table.rows[2].size(), 2u);
  EXPECT_THAT(to_html(table), Not(HasSubstr("memory")));
}

TEST(DataTable, EscapesHtml) {
  std::string html = to_html(small_table());
  EXPECT_THAT(html, HasSubstr("&lt;b&gt;"));
  EXPECT_THAT(html, HasSubstr("What a &lt;row&gt; is"));
  EXPECT_THAT(html, Not(HasSubstr("<b>")));
}

}  // namespace
}  // namespace btm
