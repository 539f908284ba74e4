#include "btm/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "btm/plan/forecast.h"
#include "btm/plan/growable.h"
#include "btm/plan/planned_forest.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

constexpr char kPlan[] = R"(
forest: out
model: {layers: 2, width: 96, heads: 3, context: 64}
training: {batch_tokens: 4k, learning_rate: 2e-3, clip: 0.5}
domains:
  python: {text: python/*.py}
  rust: {text: [a.rs, b.rs]}
  ruby: {text: ruby, role: novel}
seed: {tokens: 1M, training: {schedule: constant}}
cycles:
  - {experts: [python], tokens: 100k, branch: seed, training: {learning_rate: 1e-3}}
  - {experts: rust, tokens: 50k, branch: {from: posterior, top_k: 1}}
compare: [dense]
)";

Plan load(const std::string& text, const std::vector<std::string>& overrides = {}) {
  test::TemporaryFolder folder;
  return load_plan(folder.write("forest.yaml", text), overrides);
}

std::string message(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    load(text, overrides);
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    return e.what();
  }
  return "no error";
}

TEST(Plan, TrainingIsHandedDown) {
  Plan plan = load(kPlan);
  EXPECT_EQ(plan.training.learning_rate, 2e-3) << "what a part changes is its own";
  EXPECT_EQ(plan.seed.training.batch_tokens, 4000);
  EXPECT_EQ(plan.seed.training.schedule, ScheduleKind::constant);
  EXPECT_EQ(plan.cycles[0].training.clip, 0.5);
  EXPECT_EQ(plan.cycles[0].training.learning_rate, 1e-3);
  EXPECT_EQ(plan.cycles[0].training.schedule, ScheduleKind::cosine);
  EXPECT_EQ(plan.cycles[1].training.learning_rate, 2e-3);
  ASSERT_EQ(plan.compare.size(), 1u);
  EXPECT_EQ(plan.compare[0].training.learning_rate, 1e-3) << "the dense model trains as the experts do";
}

// An anchor and its aliases are one node of the tree.
TEST(Plan, WhatOnePartSetsIsNoOtherPartsThatNamesTheSameAnchor) {
  const std::string start =
      "forest: out\nmodel: {width: 96, heads: 3, context: 64}\ndomains: {rust: {text: a.rs}}\n"
      "cycles: [{experts: rust, tokens: 50k, training: {clip: 7}}]\n";
  Plan plan =
      load(start + "seed: {tokens: 1M, training: &b {weight_decay: 0.2}}\ncompare: [{model: dense, training: *b}]\n");
  EXPECT_EQ(plan.seed.training.clip, 1);
  EXPECT_EQ(plan.seed.training.weight_decay, 0.2);
  EXPECT_EQ(plan.compare[0].training.clip, 7);
  EXPECT_EQ(plan.compare[0].training.weight_decay, 0.2);

  const std::string shared = start + "training: &t {learning_rate: 1e-3}\nseed: {tokens: 1M, training: *t}\n";
  plan = load(shared, {"seed.training.learning_rate=9e-3"});
  EXPECT_EQ(plan.seed.training.learning_rate, 9e-3);
  EXPECT_EQ(plan.training.learning_rate, 1e-3);
  EXPECT_EQ(plan.cycles[0].training.learning_rate, 1e-3);
  plan = load(shared, {"seed.training={clip: 2}"});
  EXPECT_EQ(plan.seed.training.clip, 2);
  EXPECT_EQ(plan.training.clip, 1);
}

TEST(Plan, AListOfOneWithoutBracketsIsTheSame) {
  const std::string start =
      "forest: out\nmodel: {width: 96, heads: 3, context: 64}\ntraining: {batch_tokens: 4k}\n"
      "domains: {rust: {text: a.rs}}\nseed: {tokens: 1M}\n";
  const std::string cycle = "{experts: rust, tokens: 50k, training: {learning_rate: 1e-3}}", dense = "{model: dense}";
  const Plan bare = load(start + "cycles: " + cycle + "\ncompare: " + dense + "\n");
  const Plan listed = load(start + "cycles: [" + cycle + "]\ncompare: [" + dense + "]\n");
  EXPECT_EQ(bare.cycles.at(0).training.batch_tokens, 4000);
  EXPECT_EQ(settings_json(bare), settings_json(listed));
}

TEST(Plan, ReadsDomainsAndShorthands) {
  Plan plan = load(kPlan);
  EXPECT_EQ(domains_of_role(plan, Role::train), (std::vector<std::string>{"python", "rust"}));
  EXPECT_EQ(domains_of_role(plan, Role::novel), std::vector<std::string>{"ruby"});
  EXPECT_EQ(find_domain(plan, "rust").text.text.size(), 2u);
  EXPECT_EQ(plan.cycles[1].experts, std::vector<std::string>{"rust"});
  EXPECT_EQ(plan.cycles[0].branch.from, BranchKind::seed);
  EXPECT_EQ(plan.cycles[1].branch.top_k, 1);
}

TEST(Plan, ResolvedPlanReadsBackAsItself) {
  Plan plan = load(kPlan);
  Json json = settings_json(plan);
  EXPECT_EQ(settings_json(load(to_yaml(json))), json);
}

TEST(Plan, ShapeOfACheckpointStandsAloneOrAsResolved) {
  test::TemporaryFolder checkpoint;
  ModelConfig config = load(kPlan).model.config;
  config.vocab_size = 500;
  checkpoint.write("config.json", hugging_face_config(config, 0).dump());
  const std::string from = "model={from: " + checkpoint.path().string();
  const Json json = settings_json(load(kPlan, {from + "}"}));
  EXPECT_EQ(json["model"]["layers"], 2);
  EXPECT_EQ(settings_json(load(to_yaml(json))), json);
  EXPECT_THAT(message(kPlan, {from + ", layers: 3}"}), testing::HasSubstr("model.layers: the shape comes from"));
  const Json shorter = settings_json(load(kPlan, {from + ", context: 16}"}));
  EXPECT_EQ(shorter["model"]["context"], 16);
  EXPECT_EQ(settings_json(load(to_yaml(shorter))), shorter);
  EXPECT_THAT(message(kPlan, {from + ", context: 4096}"}), testing::HasSubstr("model.context: 4096 is more than the"));
  EXPECT_THAT(message(kPlan, {from + ", preset: gpt3-small}"}),
              testing::HasSubstr("model.preset: the shape comes from"));
}

TEST(Plan, NewModelsOfQwen2AreRefused) {
  EXPECT_THAT(message(kPlan, {"model.architecture=qwen2"}), testing::HasSubstr("qwen2 is for checkpoints"));
}

TEST(Plan, PresetsAreThePapersAndCanBeChanged) {
  Plan plan = load(kPlan, {"model={preset: gpt3-medium, context: 512}"});
  EXPECT_EQ(plan.model.config.layers, 24);
  EXPECT_EQ(plan.model.config.width, 1024);
  EXPECT_EQ(plan.model.config.context, 512);
}

TEST(Plan, TextRootIsPutBeforeRelativePaths) {
  Plan plan = load(kPlan, {"text_root=/texts", "domains.ruby.text=/else/ruby"});
  EXPECT_EQ(find_domain(plan, "python").text.text[0], "/texts/python/*.py");
  EXPECT_EQ(find_domain(plan, "ruby").text.text[0], "/else/ruby");
}

TEST(Plan, CyclesThatSayWhatTheyWaitForTrainWithThoseBefore) {
  const std::string plan =
      "forest: out\nmodel: {width: 96, heads: 3, context: 64}\nseed: {tokens: 1M}\n"
      "domains: {a: {text: a}, b: {text: b}, c: {text: c}, d: {text: d}, e: {text: e}}\n"
      "cycles: [{experts: a}, {experts: [b, c], after: a}, {experts: d}, {experts: e}]\n";
  const std::vector<CycleGroup> groups = cycle_groups(load(plan));
  ASSERT_EQ(groups.size(), 3u);
  const auto is = [](const CycleGroup& group, std::size_t first, std::size_t last, std::size_t together) {
    return group.first == first && group.last == last && group.together == together;
  };
  EXPECT_TRUE(is(groups[0], 0, 2, 3)) << "three experts";
  EXPECT_TRUE(is(groups[1], 2, 3, 0));
  EXPECT_TRUE(is(groups[2], 3, 4, 0));
}

std::vector<std::string> names_of(const std::vector<const ExpertInfo*>& experts) {
  std::vector<std::string> names;
  for (const ExpertInfo* expert : experts) names.push_back(expert->name);
  return names;
}

TEST(Candidates, AreOfCyclesBeforeOrImportedOrThoseWaitedFor) {
  Forest forest;
  for (const auto& [name, cycle] : {std::pair("a", 1), {"b", 2}, {"c", 3}, {"guest", 9}}) {
    forest.experts.push_back({});
    forest.experts.back().name = name;
    forest.experts.back().cycle = cycle;
  }
  forest.experts.back().imported = Origin{"guest", {}};
  CycleSettings cycle;
  EXPECT_EQ(names_of(candidates(cycle, 3, forest)), (std::vector<std::string>{"a", "b", "guest"}));
  EXPECT_EQ(names_of(candidates(cycle, 1, forest)), std::vector<std::string>{"guest"});
  cycle.after = {"b", "seed"};
  EXPECT_EQ(names_of(candidates(cycle, 3, forest)), std::vector<std::string>{"b"});
}

TEST(PlannedForest, HasWhatIsToComeButForWhatWasRemoved) {
  const Plan plan = load(kPlan);
  ModelConfig model = plan.model.config;
  model.vocab_size = 500;
  Forest forest;
  const auto names = [&] {
    std::vector<std::string> found;
    for (const ExpertInfo& expert : planned_forest(plan, forest, resolve(model)).experts) found.push_back(expert.name);
    return found;
  };
  EXPECT_EQ(names(), (std::vector<std::string>{"python", "rust"}));
  forest.removed_for_good = {"python"};
  EXPECT_EQ(names(), std::vector<std::string>{"rust"});
}

TEST(Forecast, ABaselinesBatchThatIsLargerThanItsTokensIsTold) {
  const auto told = [](const std::string& compare) -> std::string {
    const Plan plan = load(kPlan, {"compare=" + compare});
    ModelConfig model = plan.model.config;
    model.vocab_size = 500;
    try {
      forecast(plan, resolve(model), Forest{});
    } catch (const Error& e) {
      EXPECT_EQ(e.cause(), Cause::input);
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(told("[dense, random_split]"), "");
  EXPECT_THAT(told("[{model: dense, training: {batch_tokens: 200k}}]"),
              testing::HasSubstr("compare[0].training.batch_tokens is 200000, but dense is trained on 146816 tokens"));
  EXPECT_THAT(
      told("[dense, {model: random_split, training: {batch_tokens: 80k}}]"),
      testing::HasSubstr("compare[1].training.batch_tokens is 80000, but part_2 of random_split is trained on"));
}

TEST(Plan, OverridesReachListEntries) {
  EXPECT_EQ(load(kPlan, {"cycles.1.tokens=7k"}).cycles[1].tokens, 7000);
  EXPECT_EQ(load(kPlan, {"cycles[1].tokens=7k"}).cycles[1].tokens, 7000);
}

TEST(Plan, ErrorsSayWhatAndWhere) {
  using testing::HasSubstr;
  EXPECT_THAT(message(std::string(kPlan) + "seed: {tokens: 2M}\n"), HasSubstr("line 14: seed is there twice"));
  EXPECT_THAT(message("forest: out\nseed: {tokens: 1M, tokens: 2M}\n"), HasSubstr("seed.tokens is there twice"));
  EXPECT_THAT(message("forest: &a [*a]\n"), HasSubstr("forest must be a text"));  // a list that is its own entry
  EXPECT_THAT(message(kPlan, {"forest=~/out"}), HasSubstr("forest is ~/out, but only a shell knows"));
  EXPECT_THAT(message(kPlan, {"trainning.clip=1"}), HasSubstr("did you mean 'training'?"));
  EXPECT_THAT(message(kPlan, {"training.clip=-1"}), HasSubstr("training.clip is -1, expected 0 (none) or more"));
  EXPECT_THAT(message(kPlan, {"cycles.0.training.dev_tokens=0"}), HasSubstr("cycles[0].training.dev_tokens is 0"));
  EXPECT_THAT(message(kPlan, {"compare=[dense, {model: dense, tokens: 20k}]"}),
              HasSubstr("compare[1]: dense is there"));
  EXPECT_THAT(message(kPlan, {"compare=[{model: dense, training: {batch_tokens: 10}}]"}),
              HasSubstr("compare[0].training.batch_tokens is 10, less than one sequence"));
  EXPECT_THAT(message(kPlan, {"evaluate.forgetting=2"}), HasSubstr("forgetting is 2"));
  EXPECT_THAT(message(kPlan, {"training.learning_rate=fast"}), HasSubstr("must be a number, found 'fast'"));
  EXPECT_THAT(message(kPlan, {"training.learning_rate=0"}),
              HasSubstr("training.learning_rate is 0, expected more than 0"));
  EXPECT_THAT(message(kPlan, {"training.warmup=3"}),
              HasSubstr("training.warmup is 3, expected a share of all updates, from 0 to 1"));
  EXPECT_THAT(message(kPlan, {"cycles.0.experts=pyton"}), HasSubstr("did you mean 'python'?"));
  EXPECT_THAT(message(kPlan, {"cycles.1.experts=python"}), HasSubstr("has an expert already"));
  EXPECT_THAT(message(kPlan, {"cycles.0.branch=uniform"}), HasSubstr("no experts to branch from"));
  EXPECT_THAT(message(kPlan, {"cycles.1.after=pyton"}), HasSubstr("did you mean 'python'?"));
  EXPECT_THAT(message(kPlan, {"cycles.1.after=rust"}), HasSubstr("not an expert of a cycle before"));
  EXPECT_THAT(message(kPlan, {"cycles.1.after=seed"}), HasSubstr("waits for the seed alone"));
  EXPECT_THAT(message(kPlan, {"cycles.1.after=seed", "cycles.1.branch={weights: {python: 1}}"}),
              HasSubstr("add it to cycles[1].after"));
  EXPECT_THAT(message(kPlan, {"cycles.0.branch={weights: {rust: 1}}"}),
              HasSubstr("cycles[0].branch.weights.rust: it is not an expert of a cycle before"));
  EXPECT_THAT(message(kPlan, {"cycles.1.branch={from: uniform, weights: {python: 1}}"}),
              HasSubstr("cycles[1].branch.weights say all"));
  EXPECT_THAT(message(kPlan, {"cycles.0.branch=unifrom"}), HasSubstr("did you mean 'uniform'?"));
  EXPECT_THAT(message(kPlan, {"model.heads=5"}), testing::AllOf(HasSubstr("heads"), HasSubstr("96")));
  EXPECT_THAT(message(kPlan, {"model.preset=gpt9"}), HasSubstr("gpt3-small"));
  EXPECT_THAT(message(kPlan, {"model={from: /no/such, layers: 2}"}), HasSubstr("/no/such"));
  EXPECT_THAT(message(kPlan, {"domains.seed.text=x"}), HasSubstr("rename the domain"));
  EXPECT_THAT(message(kPlan, {"domains.python.text=[]"}), HasSubstr("domains.python.text is missing"));
  EXPECT_THAT(message(kPlan, {"domains.python.text=['']"}), HasSubstr("domains.python.text: an empty path"));
  EXPECT_THAT(message(kPlan, {"domains.x.tmp.text=x"}), HasSubstr("domains"));
  EXPECT_THAT(message(kPlan, {"domains={x.1.tmp: {text: x}}"}), HasSubstr("'x.1.tmp' can't be a folder's name"));
  EXPECT_THAT(message(kPlan, {"domains={" + std::string(201, 'x') + ": {text: x}}"}), HasSubstr("can't be a folder's"));
  EXPECT_THAT(message(kPlan, {"seed.domains=[ruby]"}), HasSubstr("'ruby' is not a train domain"));
  EXPECT_THAT(message(kPlan, {"seed.domains=[]"}), HasSubstr("seed.domains: none given"));
  EXPECT_THAT(message(kPlan, {"seed.domains=[python, python]"}), HasSubstr("'python' is there twice"));
  EXPECT_THAT(message(kPlan, {"seed.domains=[all, python]"}), HasSubstr("'all' stands alone"));
  EXPECT_THAT(message(kPlan, {"tokenizer.sample_bytes=-1"}), HasSubstr("tokenizer.sample_bytes is -1"));
  EXPECT_THAT(message(kPlan, {"evaluate.average_budget=0"}), HasSubstr("average_budget is 0"));
  EXPECT_THAT(message(kPlan, {"cycles.1.branch={weights: {python: 1, python: 3}}"}),
              HasSubstr("cycles[1].branch.weights.python is there twice"));
  for (const std::string name : {"dense", "demix_from_random", "random_split-part_1"}) {
    EXPECT_THAT(message(kPlan, {"domains." + name + ".text=x", "cycles.0.experts=" + name}),
                HasSubstr("what a baseline is called"));
  }
  EXPECT_THAT(message(std::string(kPlan) + "---\nforest: other\n"), HasSubstr("2 YAML documents"));
  EXPECT_THAT(message(","), HasSubstr("line 1: this can't stand here"));
  EXPECT_THAT(message(kPlan, {"seed.tokens=-1"}), HasSubstr("seed.tokens is -1, but must be 0 or more"));
  EXPECT_THAT(message(kPlan, {"launcher.workers=0"}), HasSubstr("launcher.workers"));
  EXPECT_THAT(message(kPlan, {"launcher.ranks=2", "trainer.command='train {output}'"}),
              HasSubstr("launcher.ranks is 2"));
  EXPECT_THAT(message(kPlan, {"trainer.command='train \"{output}\"'"}), HasSubstr("\"{output}\" stands in quotes"));
  EXPECT_THAT(message("[1, 2]"), HasSubstr("a plan is a map of settings"));
  EXPECT_THAT(message("forest: ''\ndomains: {a: {text: x}}"), HasSubstr("forest is missing"));
}

TEST(CheckParents, ACycleWhoseExpertsWereRemovedNeedsNobody) {
  const Plan plan = load(kPlan);
  Forest forest;
  EXPECT_NO_THROW(check_parents(plan, forest));
  forest.removed_for_good = {"python"};
  EXPECT_THROW(check_parents(plan, forest), Error) << "rust has nobody to be branched from";
  forest.removed_for_good.push_back("rust");
  EXPECT_NO_THROW(check_parents(plan, forest));
}

}  // namespace
}  // namespace btm
