// The recipe that a run's job gives against the one that its plan gives.
#include "btm/plan/merged_run.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "btm/core/hash.h"
#include "btm/forest/remove.h"
#include "btm/model/checkpoint.h"
#include "btm/plan/jobs.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

class RunToMerge : public testing::Test {
 protected:
  RunToMerge() {
    forest_ = open_forest(paths_.root);
    base_.domains.emplace_back().name = "python";
    base_.domains.back().train_sha256 = "of python";
    task_.name = "python";
    task_.kind = "expert";
    task_.domains = {"python"};
    task_.cycle = 1;
    task_.tokens = 4096;
    task_.training.random_seed = 7;
    task_.branch = settings_json(BranchSettings{});
    task_.parents = {{kSeedName, 1, forest_.seed->weights_sha256}};
  }

  // What grow would record of the task, and what the run that it starts says when it is merged by hand.
  void expect_same_recipe() {
    const fs::path run = paths_.run("python");
    test::write_run(run, 5);
    save_job(run, job_of(task_, base_, paths_.seed(), forest_.seed->weights_sha256, 2));
    const ExpertInfo merged = expert_of_run({run, "", {}, {}, {}}, forest_);
    EXPECT_EQ(merged.recipe, recipe_of(task_, base_));
    EXPECT_EQ(merged.recipe_sha256, recipe_sha256(merged.recipe));
    EXPECT_EQ(merged.name, "python");
    EXPECT_EQ(merged.cycle, 1);
  }

  test::TemporaryFolder folder_;
  ForestPaths paths_ = test::plant(folder_.path() / "forest");
  Forest forest_;
  ModelTask task_;
  ForestBase base_{paths_, test::tiny_config(), sha256_hex("{}"), {}, {}};
};

TEST_F(RunToMerge, HasTheRecipeOfItsPlan) {
  expect_same_recipe();
}

TEST_F(RunToMerge, SaysWhereItsDataBegan) {
  task_.first_round = 12;
  expect_same_recipe();
}

TEST_F(RunToMerge, SaysWhatShareOfTheDataItHad) {
  task_.part = 1;
  task_.parts = 3;
  expect_same_recipe();
}

TEST_F(RunToMerge, SaysWhoTrainedIt) {
  base_.trainer = "python train.py {text} {output}";
  expect_same_recipe();
}

TEST_F(RunToMerge, ParentsThatAreNamedWeighOneTogether) {
  test::grow_expert(paths_, "c", 1, {});
  forest_ = open_forest(paths_.root);
  const fs::path run = paths_.run("python");
  test::write_run(run, 5);
  save_job(run, job_of(task_, base_, "", "", 1));
  const ExpertInfo merged = expert_of_run({run, "mine", {}, {{"c", 3, ""}, {kSeedName, 1, ""}}, {}}, forest_);
  ASSERT_EQ(merged.parents.size(), 2u);
  EXPECT_EQ(merged.parents[0].weight, 0.75);
  EXPECT_EQ(merged.parents[0].sha256, forest_.find("c")->weights_sha256);
  EXPECT_EQ(merged.parents[1].weight, 0.25);
  EXPECT_EQ(merged.parents[1].sha256, forest_.seed->weights_sha256);
  EXPECT_EQ(merged.name, "mine");
  EXPECT_EQ(merged.cycle, 2) << "one after c";
}

TEST_F(RunToMerge, ParentsOfOneNameAreTheLivingAndItsCycleIsBehindTheYoungest) {
  test::grow_expert(paths_, "c", 1, {});
  test::grow_expert(paths_, "old", 1, {});
  for (const char* name : {"c", "old"}) remove_expert(open_forest(paths_.root), name, Descendants::keep);
  test::grow_expert(paths_, "c", 3, {}, 5);
  forest_ = open_forest(paths_.root);
  const fs::path run = paths_.run("python");
  test::write_run(run, 5);
  save_job(run, job_of(task_, base_, "", "", 1));
  const ExpertInfo merged = expert_of_run({run, "", {}, {{"c", 1, ""}, {"old", 1, ""}}, {}}, forest_);
  EXPECT_EQ(merged.parents[0].sha256, forest_.find("c")->weights_sha256);
  EXPECT_EQ(merged.parents[1].sha256, forest_.removed.back().weights_sha256);
  EXPECT_EQ(merged.cycle, 4);
}

TEST_F(RunToMerge, ModelsWithoutWeightInItsStartAreNoParents) {
  const std::string seed = forest_.seed->weights_sha256;
  const Json sources = {{{"sha256", seed}, {"weight", 1.0}}, {{"sha256", "of no model here"}, {"weight", 0.0}}};
  folder_.write("start/average.json", Json{{"sources", sources}}.dump());
  const fs::path run = paths_.run("python");
  test::write_run(run, 5);
  save_job(run, job_of(task_, base_, folder_ / "start", "", 1));
  const ExpertInfo merged = expert_of_run({run, "", {}, {}, {}}, forest_);
  ASSERT_EQ(merged.parents.size(), 1u);
  EXPECT_EQ(merged.parents[0].name, kSeedName);
  EXPECT_EQ(merged.parents[0].sha256, seed);
}

}  // namespace
}  // namespace btm
