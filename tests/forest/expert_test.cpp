#include "btm/forest/expert.h"

#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

ExpertInfo full_info() {
  ExpertInfo info = test::expert_info("python", 2, {{"seed", 0.25, "aa"}, {"rust", 0.75, "bb"}});
  info.weights_sha256 = "cc";
  info.tokenizer_sha256 = "dd";
  info.recipe = Json::parse(R"({"z":[1,2.5,"é\n\"x\""],"a":{"deep":null,"yes":true},"n":1e22,"m":0.1})");
  info.recipe_sha256 = sha256_hex(R"({"z":[1,2.5,"é\n\"x\""],"a":{"deep":null,"yes":true},"n":1e+22,"m":0.1})");
  return info;
}

TEST(Expert, ReadsWhatItWrote) {
  test::TemporaryFolder folder;
  ExpertInfo info = full_info();
  EXPECT_EQ(recipe_sha256(info.recipe), info.recipe_sha256);
  save_expert(folder.path(), info);
  ExpertInfo read = load_expert(folder.path());
  EXPECT_EQ(expert_json(read).dump(), expert_json(info).dump());
  EXPECT_EQ(read.recipe.dump(), info.recipe.dump());
  EXPECT_EQ(read.parents.at(1).name, "rust");
  EXPECT_EQ(read.parents.at(1).weight, 0.75);
  EXPECT_EQ(read.flops, 1.25e9);
  EXPECT_EQ(read.tokens, 1000);
}

TEST(Expert, RefusesARecipeThatWasChanged) {
  test::TemporaryFolder folder;
  save_expert(folder.path(), full_info());
  std::string text = read_file(folder / "expert.json");
  text.replace(text.find("1e+22"), 5, "1e+23");
  write_file(folder / "expert.json", text);
  std::string message = test::input_message([&] { load_expert(folder.path()); });
  EXPECT_NE(message.find("expert.json"), std::string::npos) << message;
  EXPECT_NE(message.find("recipe_sha256"), std::string::npos) << message;
}

TEST(Expert, RefusesBrokenFiles) {
  test::TemporaryFolder folder;
  EXPECT_NE(test::input_message([&] { load_expert(folder.path()); }).find("expert.json"), std::string::npos);
  for (const char* text : {"{\"name\": \"x\"", "[]", "{\"nam\": \"x\"}", "{\"cycle\": \"x\"}", ""}) {
    write_file(folder / "expert.json", text);
    EXPECT_NE(test::input_message([&] { load_expert(folder.path()); }).find("expert.json"), std::string::npos) << text;
  }
}

TEST(Expert, NamesTheFirstDifferenceOfRecipes) {
  Json there = {{"tokens", 5}, {"training", {{"clip", 1.0}, {"rate", 0.1}}}, {"data", {{"sha", "a"}}}};
  EXPECT_EQ(recipe_difference(there, there), "");
  Json here = there;
  here["training"]["rate"] = 0.2;
  here["data"]["sha"] = "b";
  EXPECT_EQ(recipe_difference(there, here), "training.rate is 0.1 there and 0.2 here");
  here = there;
  here["data"].erase("sha");
  EXPECT_EQ(recipe_difference(there, here), "data.sha is \"a\" there and missing here");
  EXPECT_EQ(recipe_difference(here, there), "data.sha is missing there and \"a\" here");
  Json lists = {{"parents", Json::array({{{"weight", 1}}, {{"weight", 2}}})}};
  Json others = {{"parents", Json::array({{{"weight", 1}}, {{"weight", 3}}})}};
  EXPECT_EQ(recipe_difference(lists, others), "parents[1].weight is 2 there and 3 here");
  EXPECT_EQ(recipe_difference({{"a", 1}, {"b", 2}}, {{"b", 2}, {"a", 1}}), "");
}

TEST(Expert, ShowsLongTextsWhereTheyDiffer) {
  const std::string begin = "python train.py --data " + std::string(80, 'x');
  const std::string difference =
      recipe_difference({{"trainer", begin + " --mode a"}}, {{"trainer", begin + " --mode b"}});
  EXPECT_NE(difference.find("--mode a\" there"), difference.npos) << difference;
  EXPECT_NE(difference.find("--mode b\" here"), difference.npos) << difference;
}

}  // namespace
}  // namespace btm
