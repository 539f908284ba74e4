#include "btm/forest/summary.h"

#include <gtest/gtest.h>

#include "btm/core/files.h"
#include "btm/forest/curve.h"
#include "btm/forest/merge.h"
#include "btm/forest/remove.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using test::grow_expert;

Json curve_of(int updates) {
  test::TemporaryFolder folder;
  std::string lines;
  for (int i = 1; i <= updates; ++i) {
    std::string dev = i % 100 == 0 ? fmt::format(R"(,"dev_loss":{})", i) : "";
    lines += fmt::format(R"({{"update":{},"tokens":{},"loss":{}{}}})", i, 10 * i, i, dev) + "\n";
  }
  return training_curve(folder.write("metrics.jsonl", lines + R"({"update":1,"tok)"));  // a torn last line
}

TEST(TrainingCurve, KeepsTheFirstUpdatesAndMeansOfLaterGroups) {
  Json curve = curve_of(1000);  // the factor is 1.07: the 15th is the first group of two updates
  EXPECT_EQ(curve[0].dump(), R"({"tokens":10,"loss":1.0})");
  EXPECT_EQ(curve[6].dump(), R"({"tokens":70,"loss":7.0})");
  EXPECT_LE(curve.size(), 100u);
  double before = 0;  // updates
  for (const Json& point : curve) {
    double last = point["tokens"].get<double>() / 10;
    EXPECT_DOUBLE_EQ(point["loss"].get<double>(), (before + 1 + last) / 2);  // the losses are 1, 2, 3, ...
    EXPECT_LE(last, std::max(before + 1, 1.08 * before + 1));
    before = last;
  }
  EXPECT_EQ(before, 1000);
}

TEST(TrainingCurve, KeepsDevLosses) {
  Json measured = Json::array();
  for (const Json& point : curve_of(1000)) {
    if (point.contains("dev_loss")) measured.push_back(point["dev_loss"]);
  }
  EXPECT_EQ(measured, Json({100, 200, 300, 400, 500, 600, 700, 800, 900, 1000}));
}

TEST(TrainingCurve, APointHasTheLastDevLossOfItsGroup) {
  std::int64_t before = 0;  // updates
  for (const Json& point : curve_of(10000)) {
    const std::int64_t last = point["tokens"].get<std::int64_t>() / 10, measured = last / 100 * 100;
    EXPECT_EQ(point.contains("dev_loss"), measured > before);
    if (measured > before) {
      EXPECT_EQ(point["dev_loss"], measured);
    }
    before = last;
  }
}

TEST(TrainingCurve, WithoutAFileHasNoPoints) {
  EXPECT_EQ(training_curve("/nowhere/metrics.jsonl"), Json::array());
}

TEST(ForestSummary, HoldsEveryModelWithItsCostAndPlace) {
  test::TemporaryFolder folder;
  ForestPaths paths = test::plant(folder.path());
  grow_expert(paths, "python", 1, {{"seed", 1, ""}});
  grow_expert(paths, "rust", 2, {{"seed", 0.25, ""}, {"python", 0.75, ""}});
  write_file(paths.expert("rust") / "metrics.jsonl", "{\"update\":1,\"tokens\":500,\"loss\":2.5,\"dev_loss\":2.25}\n");
  test::write_run(paths.run("dense"), 3);
  ExpertInfo dense = test::expert_info("dense", 0, {{"seed", 1, ""}});
  dense.kind = "dense";
  publish_model(paths.comparison("dense"), paths.run("dense"), dense);
  remove_expert(open_forest(paths.root), "python", Descendants::keep);

  Json summary = forest_summary(open_forest(paths.root));
  EXPECT_EQ(summary["seed"]["name"], "seed");
  EXPECT_EQ(summary["seed"]["parameters"], parameter_count(test::tiny_config()));
  ASSERT_EQ(summary["experts"].size(), 1u);
  const Json& rust = summary["experts"][0];
  EXPECT_EQ(rust["parents"].dump(), R"([{"name":"seed","weight":0.25},{"name":"python","weight":0.75}])");
  EXPECT_EQ(rust["curve"].dump(), R"([{"tokens":500,"loss":2.5,"dev_loss":2.25}])");
  EXPECT_EQ(rust["tainted"], 0.75);
  EXPECT_EQ(rust["flops"], 1.25e9);
  ASSERT_EQ(summary["removed"].size(), 1u);
  EXPECT_EQ(summary["removed"][0]["name"], "python");
  EXPECT_EQ(summary["removed"][0]["cycle"], 1);
  ASSERT_EQ(summary["comparisons"].size(), 1u);
  EXPECT_EQ(summary["comparisons"][0]["kind"], "dense");
}

TEST(ForestSummary, ADemixModelIsOneOfAllItsDomains) {
  test::TemporaryFolder folder;
  const ForestPaths paths = test::plant(folder / "forest");
  const fs::path run = paths.run("demix");
  make_folders(run / "model");
  std::vector<ExpertInfo> infos;
  for (const char* name : {"rust", "ruby"}) {
    test::write_run(folder / name, 5);
    fs::rename(folder / name / "model", run / "model" / name);
    infos.push_back(test::expert_info(name, 0, {}));
    infos.back().kind = "demix";
    infos.back().recipe["demix"] = true;
    infos.back().domains = {name};
  }
  publish_models(paths.comparison("demix"), run, infos);
  write_file(paths.log(), "");
  const Json comparisons = forest_summary(open_forest(paths.root))["comparisons"];
  ASSERT_EQ(comparisons.size(), 1u);
  EXPECT_EQ(comparisons[0]["name"], "demix");
  EXPECT_EQ(comparisons[0]["domains"].dump(), R"(["ruby","rust"])");
}

TEST(ForestSummary, OfAnEmptyForest) {
  test::TemporaryFolder folder;
  EXPECT_EQ(forest_summary(open_forest(folder.path())).dump(),
            R"({"seed":null,"experts":[],"removed":[],"elsewhere":[],"comparisons":[]})");
}

}  // namespace
}  // namespace btm
