// What the baselines of equal compute are to train on.
#include "btm/plan/baselines.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "btm/core/files.h"
#include "btm/forest/merge.h"
#include "btm/forest/published_comparisons.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

constexpr int kContext = 8;

ExpertInfo trained(const std::string& name, int cycle, std::int64_t tokens, std::vector<Parent> parents) {
  ExpertInfo info = test::expert_info(name, cycle, std::move(parents));
  info.weights_sha256 = "weights of " + name;
  info.tokens = tokens;
  return info;
}

// seed -> a -> b -> c, of which a and b were removed.
Forest chain() {
  Forest forest;
  forest.seed = trained("seed", 0, 1000, {});
  forest.seed->domains = {"a", "b", "c"};
  forest.removed = {trained("a", 1, 20, {{"seed", 1, ""}}), trained("b", 2, 300, {{"a", 1, ""}})};
  forest.experts = {trained("c", 3, 4000, {{"b", 1, ""}})};
  return forest;
}

ModelTask only_task(const ComparisonSettings& settings, const Forest& forest) {
  const std::vector<ModelTask> tasks = comparison_tasks(settings, forest, kContext);
  EXPECT_EQ(tasks.size(), 1u);
  return tasks.at(0);
}

// btm/forest, which refuses them, doesn't know the baselines.
TEST(ComparisonTasks, TakeNamesThatNoExpertMayHave) {
  for (const auto& [model, word] : names(Baseline())) {
    for (const Start start : {Start::seed, Start::random}) {
      ComparisonSettings settings;
      settings.model = model;
      settings.from = start;
      EXPECT_TRUE(is_name_of_comparison(comparison_name(settings))) << comparison_name(settings);
      for (const ModelTask& task : comparison_tasks(settings, chain(), kContext))
        EXPECT_TRUE(is_name_of_comparison(run_name(task))) << run_name(task);
    }
  }
  EXPECT_FALSE(is_name_of_comparison("dense-forest"));
}

TEST(ComparisonTasks, DenseTrainsOnWhatRemovedAncestorsDid) {
  for (const Baseline model : {Baseline::dense, Baseline::demix}) {
    EXPECT_EQ(only_task({model, Start::seed, 0, {}}, chain()).tokens, 20 + 300 + 4000);
    EXPECT_EQ(only_task({model, Start::random, 0, {}}, chain()).tokens, 1000 + 20 + 300 + 4000);
  }
  EXPECT_EQ(only_task({Baseline::dense, Start::seed, 77, {}}, chain()).tokens, 77) << "but for what the plan says";
}

TEST(ComparisonTasks, WhatIsOfNoLivingExpertDoesNotCount) {
  Forest forest = chain();
  forest.removed.push_back(trained("d", 1, 50'000, {{"seed", 1, ""}}));
  EXPECT_EQ(only_task({Baseline::dense, Start::seed, 0, {}}, forest).tokens, 20 + 300 + 4000);
}

TEST(ComparisonTasks, ImportedTextIsNotHere) {
  Forest forest = chain();
  forest.removed[0].imported = Origin{"a", {}};
  EXPECT_EQ(only_task({Baseline::dense, Start::seed, 0, {}}, forest).tokens, 300 + 4000);
  forest.experts.push_back(trained("d", 1, 50'000, {}));
  forest.experts.back().imported = Origin{"d", {}};
  EXPECT_EQ(only_task({Baseline::dense, Start::seed, 0, {}}, forest).tokens, 300 + 4000);
}

TEST(ComparisonTasks, NoTwoModelsOfRandomInitStartAlike) {
  Forest forest = chain();
  forest.seed->recipe = {{"training", {{"random_seed", 5}}}};
  forest.experts.insert(forest.experts.end(), {trained("d", 1, 4000, {}), trained("e", 1, 7000, {})});
  ComparisonSettings settings{Baseline::random_init, Start::seed, 0, {}};
  settings.training.random_seed = 5;
  std::set<std::int64_t> seeds = {5};  // the forest's seed
  const std::vector<ModelTask> tasks = comparison_tasks(settings, forest, kContext);
  ASSERT_EQ(tasks.size(), 3u);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    EXPECT_TRUE(seeds.insert(tasks[i].training.random_seed).second) << tasks[i].name;
    EXPECT_EQ(tasks[i].name, forest.experts[i].name);
    EXPECT_EQ(tasks[i].domains, forest.experts[i].domains);
    EXPECT_EQ(tasks[i].tokens, forest.experts[i].tokens + 333) << "a third of the seed's";
    EXPECT_TRUE(tasks[i].parents.empty());
  }
}

TEST(ComparisonTasks, AModelOfRandomInitStartsAlikeWhoeverElseIsThere) {
  Forest forest = chain();
  const auto seed_of_last = [](const Forest& of) {
    return comparison_tasks({Baseline::random_init, Start::seed, 0, {}}, of, kContext).back().training.random_seed;
  };
  const std::int64_t before = seed_of_last(forest);
  forest.experts.insert(forest.experts.begin(), trained("d", 1, 4000, {}));
  EXPECT_EQ(seed_of_last(forest), before);
}

// Beside baselines that are there: the seed of a and b, an expert of each.
class PublishedComparisons : public testing::Test {
 protected:
  PublishedComparisons() {
    forest_.paths = test::plant(folder_.path() / "forest");
    forest_.seed = trained("seed", 0, 1000, {});
    forest_.seed->domains = {"a", "b"};
    forest_.experts = {trained("a", 1, 2000, {{"seed", 1, ""}}), trained("b", 1, 2000, {{"seed", 1, ""}})};
  }

  void publish(const fs::path& target, const std::vector<std::string>& domains, std::int64_t tokens,
               const Json& part = {}) {
    const fs::path run = forest_.paths.run("baseline");
    test::write_run(run, 3);
    ExpertInfo info = test::expert_info(target.filename(), 0, {});
    info.recipe = {{"domains", Json::object()}, {"tokens", tokens}};
    for (const std::string& domain : domains) info.recipe["domains"][domain] = "sha256";
    if (!part.is_null()) info.recipe["part"] = part;
    fs::remove_all(target);
    publish_model(target, run, info);
  }
  ComparisonState state(Baseline model, std::int64_t tokens = 0) const {
    return comparison_state({model, Start::seed, tokens, {}}, forest_, kContext);
  }

  test::TemporaryFolder folder_;
  Forest forest_;
};

TEST_F(PublishedComparisons, OneModelStaysAsLongAsItHadAllThatTheExpertsHad) {
  const fs::path dense = forest_.paths.comparison("dense");
  EXPECT_FALSE(state(Baseline::dense).outgrown) << "there is none";
  publish(dense, {"a", "b"}, 4000);
  EXPECT_FALSE(state(Baseline::dense).outgrown);
  publish(dense, {"a", "b", "c"}, 7000);  // of an expert that went
  const ComparisonState more = state(Baseline::dense);
  EXPECT_FALSE(more.outgrown);
  EXPECT_EQ(more.tasks.at(0).tokens, 7000);
  EXPECT_EQ(more.tasks.at(0).domains, (std::vector<std::string>{"a", "b", "c"}));
  publish(dense, {"a", "b"}, 3999);
  EXPECT_TRUE(state(Baseline::dense).outgrown) << "fewer tokens";
  publish(dense, {"a", "c"}, 7000);
  EXPECT_TRUE(state(Baseline::dense).outgrown) << "not all domains";
  publish(dense, {"a", "b", "c"}, 4000);
  EXPECT_TRUE(state(Baseline::dense, 4000).outgrown) << "other domains, and the plan says how many tokens";
  publish(dense, {"a", "b"}, 7000);
  EXPECT_TRUE(state(Baseline::dense, 4000).outgrown) << "the plan says how many tokens";
  EXPECT_FALSE(state(Baseline::dense, 7000).outgrown);
}

TEST_F(PublishedComparisons, ASetIsTrainedAnewWithOtherExperts) {
  const fs::path split = forest_.paths.comparison("random_split"), init = forest_.paths.comparison("random_init");
  for (int part : {0, 1}) publish(split / fmt::format("part_{}", part + 1), {"a", "b"}, 2000, {part, 2});
  for (const std::string name : {"a", "b"}) publish(init / name, {name}, 2500);
  EXPECT_FALSE(state(Baseline::random_split).outgrown);
  EXPECT_FALSE(state(Baseline::random_init).outgrown);
  publish(split / "part_1", {"a", "b"}, 2000, {0, 3});
  EXPECT_TRUE(state(Baseline::random_split).outgrown) << "a third of the data";
  publish(split / "part_1", {"a", "b"}, 2000, {0, 2});
  publish(init / "c", {"c"}, 2500);
  EXPECT_TRUE(state(Baseline::random_init).outgrown) << "one of an expert that went";
  fs::remove_all(init / "c");
  EXPECT_FALSE(state(Baseline::random_init).outgrown);
}

// Ten sequences of three domains: the fourth round is begun.
ExpertInfo seed_of_ten_sequences() {
  ExpertInfo seed = trained("seed", 0, 10 * kContext, {});
  seed.domains = {"a", "b", "c"};
  seed.recipe = {{"training", {{"random_seed", 7}}}};
  return seed;
}

ModelTask task_on(std::vector<std::string> domains, std::int64_t random_seed = 7) {
  ModelTask task;
  task.domains = std::move(domains);
  task.training.random_seed = random_seed;
  return task;
}

TEST(OwnRandomSeed, IsAnotherForEachExpert) {
  ModelTask a = task_on({"a"}), b = task_on({"b"}), other = task_on({"a"}, 8);
  a.name = other.name = "a";
  b.name = "b";
  EXPECT_EQ(own_random_seed(a), own_random_seed(a));
  EXPECT_NE(own_random_seed(a), own_random_seed(b));
  EXPECT_NE(own_random_seed(a), own_random_seed(other));
}

TEST(RoundAfterSeed, IsBehindTheRoundThatTheSeedBegan) {
  ExpertInfo seed = seed_of_ten_sequences();
  EXPECT_EQ(round_after_seed(task_on({"a", "b", "c"}), seed, kContext), 4);
  seed.tokens = 10 * kContext + kContext - 1;  // which is no sequence more
  EXPECT_EQ(round_after_seed(task_on({"a", "b", "c"}), seed, kContext), 4);
  seed.tokens = 9 * kContext + kContext - 1;
  EXPECT_EQ(round_after_seed(task_on({"a", "b", "c"}), seed, kContext), 3);
  seed.tokens = 9 * kContext - 1;
  EXPECT_EQ(round_after_seed(task_on({"a", "b", "c"}), seed, kContext), 3);
  seed.tokens = 0;
  EXPECT_EQ(round_after_seed(task_on({"a", "b", "c"}), seed, kContext), 0);
}

TEST(RoundAfterSeed, IsTheFirstWhereTheSeedReadInAnotherOrder) {
  const ExpertInfo seed = seed_of_ten_sequences();
  EXPECT_EQ(round_after_seed(task_on({"a", "b", "c"}, 8), seed, kContext), 0) << "another random seed";
  EXPECT_EQ(round_after_seed(task_on({"b"}), seed, kContext), 0) << "another place";
  EXPECT_EQ(round_after_seed(task_on({"a"}), seed, kContext), 4);
  EXPECT_EQ(round_after_seed(task_on({"d", "b"}), seed, kContext), 4) << "one of them in its place";
  EXPECT_EQ(round_after_seed(task_on({"c", "a", "b", "d"}), seed, kContext), 0);
  ExpertInfo planned = seed;
  planned.recipe = Json();
  EXPECT_EQ(round_after_seed(task_on({"a"}), planned, kContext), 0);
}

}  // namespace
}  // namespace btm
