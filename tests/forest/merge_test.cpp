#include "btm/forest/merge.h"

#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/forest/edit_log.h"
#include "btm/forest/forest.h"
#include "btm/forest/remove.h"
#include "btm/model/checkpoint.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using test::expert_info;
using test::grow_expert;
using test::input_message;
using test::plant;
using test::write_run;

bool says(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}

int entries(const fs::path& folder) {
  return static_cast<int>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(Merge, PublishesTheFolderAndLogsIt) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  grow_expert(paths, "rust", 1, {{"seed", 1, ""}});
  Forest forest = open_forest(folder.path());
  ASSERT_EQ(forest.experts.size(), 1u);
  const ExpertInfo& info = forest.experts[0];
  EXPECT_EQ(info.weights_sha256, sha256_hex(read_file(paths.run("rust") / "model" / "model.safetensors")));
  EXPECT_EQ(info.tokenizer_sha256, sha256_hex("{}"));
  EXPECT_EQ(info.recipe_sha256, sha256_hex(info.recipe.dump()));
  EXPECT_EQ(info.parents.at(0).sha256, forest.seed->weights_sha256);
  EXPECT_EQ(info.recipe.dump(), expert_info("rust", 1, {}).recipe.dump());
  for (const char* file : {"config.json", "model.safetensors", "generation_config.json", "tokenizer.json",
                           "tokenizer_config.json", "expert.json", "metrics.jsonl", "SHA256SUMS"}) {
    EXPECT_TRUE(fs::exists(paths.expert("rust") / file)) << file;
  }
  EXPECT_EQ(entries(paths.expert("rust")), 8);
  EXPECT_EQ(entries(paths.experts()), 1);
  EXPECT_EQ(forest.find("rust"), &forest.experts[0]);
  EXPECT_EQ(forest.find("seed"), nullptr);
}

TEST(Merge, SecondTimeWithTheSameRecipeDoesNothing) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  grow_expert(paths, "rust", 1, {{"seed", 1, ""}});
  std::string log = read_file(paths.log());
  auto time = fs::last_write_time(paths.expert("rust") / "expert.json");
  grow_expert(paths, "rust", 1, {{"seed", 1, ""}});
  EXPECT_EQ(read_file(paths.log()), log);
  EXPECT_EQ(fs::last_write_time(paths.expert("rust") / "expert.json"), time);
  fs::remove_all(paths.run("rust"));  // the run is not even needed
  merge_expert(paths, paths.run("rust"), expert_info("rust", 1, {{"seed", 1, ""}}));
}

TEST(Merge, AnotherRecipeIsRefusedNamingTheKey) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  grow_expert(paths, "rust", 1, {{"seed", 1, ""}});
  ExpertInfo info = expert_info("rust", 1, {{"seed", 1, ""}});
  info.recipe["training"]["learning_rate"] = 1e-3;
  std::string message = input_message([&] { merge_expert(paths, paths.run("rust"), info); });
  EXPECT_TRUE(says(message, "training.learning_rate is 0.002 there and 0.001 here")) << message;
  EXPECT_TRUE(says(message, "btm remove")) << message;
}

TEST(Merge, CrashBetweenFolderAndLogIsRedone) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  grow_expert(paths, "rust", 1, {{"seed", 1, ""}});
  fs::remove(paths.log());
  EXPECT_TRUE(open_forest(folder.path()).experts.empty());
  write_file(paths.experts() / "rust.77.tmp", "left by a killed writer");
  grow_expert(paths, "rust", 1, {{"seed", 1, ""}}, 5);  // even with other weights
  Forest forest = open_forest(folder.path());
  ASSERT_EQ(forest.experts.size(), 1u);
  EXPECT_EQ(forest.experts[0].weights_sha256, weights_sha256(paths.run("rust") / "model"));
  EXPECT_EQ(weights_sha256(paths.expert("rust")), weights_sha256(paths.run("rust") / "model"));
  EXPECT_EQ(entries(paths.experts()), 1);
}

TEST(Merge, RefusesAnotherTokenizerOrShape) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  write_run(paths.run("a"), 3, test::tiny_config(), "{\"other\": 1}");
  std::string message = input_message([&] { merge_expert(paths, paths.run("a"), expert_info("a", 1, {})); });
  EXPECT_TRUE(says(message, "tokenizer")) << message;
  ModelConfig wide = test::tiny_config();
  wide.width = 16;
  wide.hidden = 64;
  write_run(paths.run("b"), 3, wide);
  message = input_message([&] { merge_expert(paths, paths.run("b"), expert_info("b", 1, {})); });
  EXPECT_TRUE(says(message, "width is 8 there and 16 here")) << message;
  EXPECT_FALSE(fs::exists(paths.log()));
  EXPECT_FALSE(fs::exists(paths.expert("a")) || fs::exists(paths.expert("b")));
}

TEST(Merge, WithoutASeedTheFirstExpertSetsTheShape) {
  test::TemporaryFolder folder;
  ForestPaths paths{folder.path()};
  write_file(paths.lock(), "");
  grow_expert(paths, "a", 1, {});
  ModelConfig deep = test::tiny_config();
  deep.layers = 2;
  write_run(paths.run("b"), 3, deep);
  std::string message = input_message([&] { merge_expert(paths, paths.run("b"), expert_info("b", 1, {})); });
  EXPECT_TRUE(says(message, "layers is 1 there and 2 here")) << message;
}

TEST(Merge, RefusesWeightsThatAreNotThoseOfTheInfo) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  write_run(paths.run("a"), 3);
  ExpertInfo info = expert_info("a", 1, {});
  info.weights_sha256 = std::string(64, '0');
  EXPECT_TRUE(says(input_message([&] { merge_expert(paths, paths.run("a"), info); }), "weights"));
}

TEST(Merge, RefusesNamesUnknownParentsAndMissingRuns) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  write_run(paths.run("a"), 3);
  for (const char* name : {"", "seed", "../x", "a/b", ".hidden", "a b", "x.tmp"}) {
    EXPECT_TRUE(says(input_message([&] { merge_expert(paths, paths.run("a"), expert_info(name, 1, {})); }), "name"));
  }
  auto merge = [&](std::vector<Parent> parents) {
    return input_message([&] { merge_expert(paths, paths.run("a"), expert_info("a", 1, std::move(parents))); });
  };
  EXPECT_TRUE(says(merge({{"nobody", 1, ""}}), "'nobody'"));
  EXPECT_TRUE(says(merge({{"seed", 1, "00"}}), "'seed'"));
  EXPECT_TRUE(says(merge({{"seed", 0, ""}}), "all 0"));
  EXPECT_TRUE(says(merge({{"seed", -1, ""}}), "-1"));
  EXPECT_TRUE(says(input_message([&] { merge_expert(paths, paths.run("z"), expert_info("z", 1, {})); }), "btm train"));
  EXPECT_FALSE(fs::exists(paths.experts()));
}

TEST(Merge, WeightsOfParentsAreNormalised) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  grow_expert(paths, "a", 1, {{"seed", 1, ""}});
  grow_expert(paths, "b", 2, {{"seed", 1, ""}, {"a", 3, ""}});
  const std::vector<Parent> parents = open_forest(folder.path()).experts.at(1).parents;
  EXPECT_EQ(parents.at(0).weight, 0.25);
  EXPECT_EQ(parents.at(1).weight, 0.75);
}

TEST(Merge, WeightsThatSumToOneButForRoundingStayAsTheyAre) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  for (const char* name : {"a", "b"}) grow_expert(paths, name, 1, {{"seed", 1, ""}});
  ASSERT_NE(0.7 + 0.2 + 0.1, 1);
  grow_expert(paths, "c", 2, {{"a", 0.7, ""}, {"b", 0.2, ""}, {"seed", 0.1, ""}});
  const Forest forest = open_forest(folder.path());
  const std::vector<Parent>& parents = forest.find("c")->parents;
  EXPECT_EQ(parents[0].weight, 0.7);
  EXPECT_EQ(parents[1].weight, 0.2);
  EXPECT_EQ(parents[2].weight, 0.1);
}

TEST(Merge, AParentOfANameIsTheLivingOneOrTheLastOfIt) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  const auto parent_of = [&](const std::string& child) {
    grow_expert(paths, child, 2, {{"a", 1, ""}});
    return open_forest(folder.path()).find(child)->parents.at(0).sha256;
  };
  std::vector<std::string> weights;
  for (std::uint64_t seed : {0, 5, 9}) {
    grow_expert(paths, "a", 1, {{"seed", 1, ""}}, seed);
    const Forest forest = open_forest(folder.path());
    weights.push_back(forest.find("a")->weights_sha256);
    if (seed == 9) break;
    fs::remove_all(paths.run("a"));
    remove_expert(forest, "a", Descendants::keep);
    if (seed == 5) {
      EXPECT_EQ(parent_of("of_the_last"), weights[1]);
    }
  }
  EXPECT_EQ(parent_of("of_the_living"), weights[2]);
}

TEST(Merge, LostFolderIsPutBack) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  grow_expert(paths, "a", 1, {{"seed", 1, ""}});
  fs::remove_all(paths.expert("a"));
  std::string message = input_message([&] { open_forest(folder.path()); });
  EXPECT_TRUE(says(message, "experts/a") && says(message, "btm remove")) << message;
  grow_expert(paths, "a", 1, {{"seed", 1, ""}});
  const Forest forest = open_forest(folder.path());
  ASSERT_EQ(forest.experts.size(), 1u);
  EXPECT_EQ(forest.experts[0].parents.at(0).sha256, forest.seed->weights_sha256) << "as the log has it";
  fs::remove_all(paths.expert("a"));
  EXPECT_TRUE(says(input_message([&] { grow_expert(paths, "a", 1, {{"seed", 1, ""}}, 9); }), "not those"));
  ExpertInfo other = expert_info("a", 1, {{"seed", 1, ""}});
  other.recipe["tokens"] = 9;
  const std::string refusal = input_message([&] { merge_expert(paths, paths.run("a"), other); });
  EXPECT_TRUE(says(refusal, "another recipe: its expert.json is lost")) << refusal;
  EXPECT_FALSE(fs::exists(paths.expert("a")));
}

TEST(Merge, ExpertThatIsNotTheOneOfTheLogIsRefused) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  grow_expert(paths, "a", 1, {{"seed", 1, ""}});
  ExpertInfo info = load_expert(paths.expert("a"));
  info.weights_sha256 = std::string(64, '1');
  save_expert(paths.expert("a"), info);
  EXPECT_TRUE(says(input_message([&] { open_forest(folder.path()); }), "hashes"));
}

TEST(Merge, ExpertWithAnotherRecipeThanTheLogsIsRefused) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  grow_expert(paths, "a", 1, {{"seed", 1, ""}});
  ExpertInfo info = load_expert(paths.expert("a"));
  info.recipe["tokens"] = 9;
  info.recipe_sha256 = recipe_sha256(info.recipe);
  save_expert(paths.expert("a"), info);
  EXPECT_TRUE(says(input_message([&] { open_forest(folder.path()); }), "hashes"));
}

TEST(Publish, SeedOnceAndOnlyWithItsRecipe) {
  test::TemporaryFolder folder;
  ForestPaths paths = plant(folder.path());
  publish_model(paths.seed(), paths.run("seed"), expert_info("seed", 0, {}));
  ExpertInfo info = expert_info("seed", 0, {});
  info.recipe["tokens"] = 2000;
  std::string message = input_message([&] { publish_model(paths.seed(), paths.run("seed"), info); });
  EXPECT_TRUE(says(message, "tokens is 1000 there and 2000 here")) << message;
  publish_model(paths.comparison("dense"), paths.run("seed"), info);
  EXPECT_EQ(load_expert(paths.comparison("dense")).recipe["tokens"], 2000);
}

TEST(OpenForest, NeedsAFolder) {
  EXPECT_TRUE(says(input_message([] { open_forest("/no/such/forest"); }), "/no/such/forest"));
  test::TemporaryFolder folder;
  EXPECT_TRUE(open_forest(folder.path()).experts.empty());
  folder.write("letter.txt", "not a forest");
  EXPECT_TRUE(says(input_message([&] { open_forest(folder.path()); }), "no forest there"));
}

}  // namespace
}  // namespace btm
