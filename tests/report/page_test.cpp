#include "btm/report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "btm/core/error.h"
#include "btm/report/report_files.h"
#include "tests/report/quality.h"

namespace btm {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kHostile = "</script><script>alert('x')</script>\"&{{title}}";

Json evaluation_of(const std::string& expert) {
  Json rows = Json::array();
  for (auto [model, perplexity] : {std::pair{"seed", 92.69}, {"ensemble", 47.32}, {kHostile, 99.5}}) {
    rows.push_back(
        {{"model", model},
         {"domains", {{expert, test::quality(perplexity)}}},
         {"mean", {{"train", test::quality(perplexity)}, {"novel", nullptr}, {"all", test::quality(perplexity)}}},
         {"training", {{"tokens", 16'000'000}, {"flops", 4.25e13}, {"device_seconds", 185}}},
         {"experts_per_token", 8},
         {"tokens_per_second", 23'400}});
  }
  return {{"domains", {{expert, {{"role", "train"}, {"tokens", 50'000}, {"bytes", 150'000}}}}},
          {"posteriors", {{expert, {{expert, 0.875}, {"other", 0.125}}}}},
          {"rows", rows}};
}

Json model(const std::string& name, const char* kind, int cycle, const Json& parents) {
  return {{"name", name},
          {"kind", kind},
          {"cycle", cycle},
          {"domains", {name}},
          {"parents", parents},
          {"tokens", 700'000},
          {"updates", 170},
          {"flops", 1.85e12},
          {"device_seconds", 15.1},
          {"dev_loss", 3.662},
          {"curve", {{{"tokens", 4096}, {"loss", 4.5}}, {{"tokens", 700'000}, {"loss", 3.7}, {"dev_loss", 3.662}}}}};
}

Json forest(const std::string& expert) {
  Json from_seed = {{{"name", "seed"}, {"weight", 1.0}}};
  return {{"seed", model("seed", "seed", 0, Json::array())},
          {"experts", {model(expert, "expert", 1, from_seed)}},
          {"removed", Json::array()},
          {"comparisons", {model("dense", "dense", 0, from_seed)}}};
}

Json study() {
  return {{"study", "top k"},
          {"question", "How many experts does a token need?"},
          {"x", {{"label", "experts"}, {"log", true}}},
          {"y", {{"label", "perplexity"}}},
          {"series", {{{"name", "ensemble"}, {"points", {{{"x", 1}, {"y", 48.29}}, {{"x", 2}, {"y", 47.78}}}}}}}};
}

std::string error_of(const Results& results) {
  try {
    make_report("forest", results);
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Page, HasASectionForAllThatIsThere) {
  std::string page = to_page(make_report("demo", {evaluation_of("python"), forest("python"), {study()}}));
  for (const char* part : {"Results", "Domains", "Posterior", "Lineage", "Training", "Cost", "Studies", "47.32",
                           "0.875", "3.662", "1.85T", "How many experts"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
}

TEST(Page, LeavesOutWhatIsNotThere) {
  std::string page = to_page(make_report("demo", {evaluation_of("python"), nullptr, {}}));
  EXPECT_THAT(page, HasSubstr(">Results<"));
  for (const char* part : {">Lineage<", ">Training<", ">Cost<", ">Studies<"}) EXPECT_THAT(page, Not(HasSubstr(part)));
  page = to_page(make_report("demo", {nullptr, forest("python"), {}}));
  EXPECT_THAT(page, HasSubstr(">Lineage<"));
  for (const char* part : {">Results<", ">Domains<", ">Posterior<"}) EXPECT_THAT(page, Not(HasSubstr(part)));
}

TEST(Page, TakesTheEnsemblesPriorWhereThereIsNoPosterior) {
  Json old = evaluation_of("python");
  old.erase("posteriors");
  EXPECT_THAT(to_page(make_report("demo", {old, nullptr, {}})), Not(HasSubstr(">Posterior<")));
  old["rows"][1]["domains"]["python"]["prior"] = {{"python", 0.625}};
  EXPECT_THAT(to_page(make_report("demo", {old, nullptr, {}})), HasSubstr("python: 0.625"));
}

TEST(Page, NamesCannotBreakOut) {
  Json named = study();
  named["study"] = named["series"][0]["name"] = named["x"]["label"] = kHostile;
  std::string page = to_page(make_report(kHostile, {evaluation_of(kHostile), forest(kHostile), {named}}));
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert"));
  EXPECT_THAT(page, HasSubstr("&amp;{{title}}"));  // what is put in is not filled in again
}

TEST(Page, NeedsNoNetwork) {
  std::string page = to_page(make_report("demo", {evaluation_of("python"), forest("python"), {study()}}));
  for (std::size_t at; (at = page.find("xmlns=\"http://www.w3.org/2000/svg\"")) != std::string::npos;)
    page.erase(at, 34);
  for (const char* part : {"http:", "https:", "url(", "@import", "src=", "<link"}) {
    EXPECT_THAT(page, Not(HasSubstr(part)));
  }
}

TEST(Page, OfNothingIsAnError) {
  EXPECT_THAT(error_of({nullptr, nullptr, {}}), HasSubstr("forest: nothing to report yet"));
  Json empty = {
      {"seed", nullptr}, {"experts", Json::array()}, {"removed", Json::array()}, {"comparisons", Json::array()}};
  Json none = {{"domains", Json::object()}, {"rows", Json::array()}};
  EXPECT_THAT(error_of({none, empty, {}}), HasSubstr("nothing to report yet"));
}

TEST(Page, NamesTheFileThatIsNotAsItShouldBe) {
  EXPECT_THAT(error_of({{{"rows", 3}}, nullptr, {}}), HasSubstr("results/evaluation.json"));
  EXPECT_THAT(error_of({nullptr, Json::array(), {}}), HasSubstr("results/forest.json"));
  EXPECT_THAT(error_of({nullptr, nullptr, {{{"study", "x"}}}}), HasSubstr("study.json"));
}

TEST(ReportFiles, AreOnePerPlotAndTable) {
  std::vector<std::string> names;
  for (const ReportFile& file :
       report_files(make_report("d", {evaluation_of("python"), forest("python"), {study()}}))) {
    names.push_back(file.name);
  }
  EXPECT_THAT(names, testing::IsSupersetOf({"results.csv", "domains.csv", "cost.csv", "posterior.svg", "posterior.csv",
                                            "lineage.svg", "loss-curves.svg", "study-top-k.svg", "study-top-k.csv"}));
}

}  // namespace
}  // namespace btm
