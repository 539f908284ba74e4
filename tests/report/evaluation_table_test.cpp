#include "btm/report/evaluation_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "btm/core/error.h"
#include "btm/report/evaluation_data.h"
#include "btm/report/text_table.h"
#include "tests/report/quality.h"

namespace btm {
namespace {

using testing::HasSubstr;
using testing::Not;

Json row(const std::string& model, double train, double novel) {
  Json mean_novel = novel > 0 ? test::quality(novel) : Json(nullptr);
  Json domains = {{"python_src", test::quality(train)}};
  if (novel > 0) domains["vim_help"] = test::quality(novel);
  return {{"model", model},
          {"settings", Json::object()},
          {"experts_per_token", model == "ensemble" ? 8.0 : 1.0},
          {"active_parameters", 433'000},
          {"memory_bytes", 1'732'000},
          {"domains", domains},
          {"mean",
           {{"train", test::quality(train)},
            {"novel", mean_novel},
            {"all", test::quality(novel > 0 ? (train + novel) / 2 : train)}}},
          {"training", {{"tokens", 12'000'000}, {"flops", 3.2e13}, {"device_seconds", 95.0}}},
          {"tokens_per_second", 23'400.0}};
}

Json evaluation(bool novel = true) {
  Json domains = {{"python_src", {{"role", "train"}, {"tokens", 50000}, {"bytes", 150000}}}};
  if (novel) domains["vim_help"] = {{"role", "novel"}, {"tokens", 50000}, {"bytes", 150000}};
  auto other = [novel](double value) { return novel ? value : 0; };
  return {{"domains", domains},
          {"rows",
           {row("seed", 51.234, other(120)), row("dense", 43.6, other(118.3)), row("ensemble", 38.84, other(108.3)),
            row("average_posterior", 39.2, other(116.8)), row("best_single", 70, other(180)),
            row("oracle", 39.9, other(130))}}};
}

TEST(EvaluationTable, HasARowPerModelWithin120Columns) {
  std::string text = evaluation_table(evaluation(), TableStyle::plain);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 120) << line;
  for (const char* expected :
       {"ensemble", "38.84", "108.3", "0.971", "12M", "1m35s", "23.4k", "perplexity", "bits per byte"}) {
    EXPECT_THAT(text, HasSubstr(expected));
  }
  EXPECT_THAT(text, Not(HasSubstr("\033")));
  EXPECT_THAT(text, Not(HasSubstr("\u2061")));
}

TEST(EvaluationTable, TellsWhichDomainHasTheLeastTestText) {
  Json results = evaluation();
  results["domains"]["vim_help"]["tokens"] = 1230;
  EXPECT_THAT(evaluation_table(results, TableStyle::plain),
              HasSubstr("1 train and 1 novel domains; 51.2k test tokens, 1.23k the fewest (vim_help)"));
}

TEST(EvaluationTable, TellsOncePerTrainingHowTheModelsWereTrained) {
  Json results = evaluation();
  for (Json& row : results["rows"]) {
    const bool joint = row["model"] == "seed" || row["model"] == "dense";
    row["training"]["updates"] = row["model"] == "seed" ? 976 : 1996;
    row["training"]["bytes_per_update"] = joint ? 1'731'072 : 0;
    if (joint) row["training"]["updates_per_second"] = 21.5;
  }
  const std::string text = evaluation_table(results, TableStyle::plain);
  auto line_of = [&text](const std::string& head) {
    const std::size_t at = text.find("\n" + head, text.find("trained alike"));
    return at == std::string::npos ? head + " is missing" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  };
  EXPECT_THAT(line_of("seed "), testing::ContainsRegex("976 +21.5 +1.73MB"));
  EXPECT_THAT(line_of("dense "), testing::ContainsRegex("2k +21.5 +1.73MB"));
  EXPECT_THAT(line_of("ensemble and 3 more"), testing::ContainsRegex("2k +- +none"));
}

TEST(EvaluationTable, ARuleStandsBelowTheBaselines) {
  Json results = evaluation();
  for (const char* name : {"dense_from_random", "random_split"}) {
    results["rows"].insert(results["rows"].begin() + 2, results["rows"][1]);
    results["rows"][2]["model"] = name;
  }
  const DataTable table = results_data(results);
  EXPECT_EQ(table.rows[3].front().text, "dense_from_random");
  EXPECT_EQ(table.rows[4].front().text, "ensemble");
  EXPECT_EQ(table.rules, (std::vector<std::size_t>{4, 6}));
}

TEST(EvaluationTable, ShowsTheBestBold) {
  EXPECT_THAT(evaluation_table(evaluation(), TableStyle::terminal), HasSubstr("\033[1m38.84\033[0m"));
  std::string markdown = evaluation_table(evaluation(), TableStyle::markdown);
  EXPECT_THAT(markdown, HasSubstr("**38.84**"));
  EXPECT_THAT(markdown, Not(HasSubstr("**43.60**")));
  EXPECT_THAT(markdown, HasSubstr("perplexity, novel"));
}

TEST(EvaluationTable, ColumnsStayAlignedWithBoldCells) {
  // Without the escapes the terminal's table is the plain one.
  std::string text = evaluation_table(evaluation(), TableStyle::terminal);
  for (const char* code : {"\033[1m", "\033[0m"}) {
    for (std::size_t at; (at = text.find(code)) != std::string::npos;) text.erase(at, 4);
  }
  EXPECT_EQ(text, evaluation_table(evaluation(), TableStyle::plain));
}

TEST(EvaluationTable, LeavesOutRolesThatNoDomainHas) {
  std::string text = evaluation_table(evaluation(false), TableStyle::plain);
  EXPECT_THAT(text, Not(HasSubstr("novel  ")));
  EXPECT_THAT(text, HasSubstr("1 train and 0 novel"));
}

TEST(EvaluationTable, SaysWhatIsNotAsItShouldBe) {
  Json no_training = evaluation(), no_name = evaluation();
  no_training["rows"][0].erase("training");
  no_name["rows"][1]["model"] = 3;
  for (const Json& broken : {Json::object(), Json(nullptr), no_training, no_name}) {
    EXPECT_THAT([&] { evaluation_table(broken, TableStyle::plain); },
                testing::ThrowsMessage<Error>(HasSubstr("results/evaluation.json: not as")));
  }
  EXPECT_THAT([] { domain_table(Json::object(), TableStyle::plain); },
              testing::ThrowsMessage<Error>(HasSubstr("not as")));
}

TEST(DomainTable, IsCutIntoBlocksThatFit) {
  Json wide = evaluation();
  for (int i = 0; i < 12; ++i) wide["rows"].push_back(row("average_number_" + std::to_string(i), 50, 100));
  std::string text = domain_table(wide, TableStyle::plain);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 120) << line;
  EXPECT_THAT(text, HasSubstr("average_number_11"));
  EXPECT_THAT(domain_table(evaluation(), TableStyle::plain), HasSubstr("vim_help"));
}

TEST(EvaluationMarkdown, HoldsBothTables) {
  std::string text = evaluation_markdown(evaluation());
  EXPECT_THAT(text, HasSubstr("# Evaluation"));
  EXPECT_THAT(text, HasSubstr("## By domain"));
  EXPECT_THAT(text, HasSubstr("| python_src"));
}

}  // namespace
}  // namespace btm
