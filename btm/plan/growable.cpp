#include "btm/plan/growable.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/format.h"
#include "btm/core/hash.h"
#include "btm/data/file_list.h"
#include "btm/data/tokenizer.h"
#include "btm/model/checkpoint.h"
#include "btm/plan/baselines.h"
#include "btm/plan/forest_folder.h"
#include "btm/plan/forest_tokenizer.h"
#include "btm/plan/planned_forest.h"

namespace btm {
namespace {

std::string remedy(const Plan& plan, const Forest& forest, const ExpertInfo& expert) {
  if (!expert.imported) return "give the new settings to a domain of another name";
  if (was_removed(forest, expert.name)) return "take it out of the plan, whose own was removed and is not grown again";
  return fmt::format(
      "import that one under another name (btm remove {} {}; btm import {} FILE --name NAME): the plan trains its "
      "own '{}'",
      plan.forest, expert.name, plan.forest, expert.name);
}

// Throws Error(input) if the published model is not what the task asks for. Who its parents were and where its data
// began was settled when it was branched. `remedy` stands behind "set it back, or".
void check_unchanged(const ExpertInfo& published, ModelTask task, const ForestBase& base, const std::string& remedy) {
  task.parents = published.parents;
  task.first_round = published.recipe.value("first_round", std::int64_t{0});
  const auto drawn = published.recipe.value("training", Json::object()).value("random_seed", std::int64_t{0});
  // Earlier versions started all experts from the same random weights, and counted up the seeds of random_init.
  const bool own = task.kind == kExpertKind && task.parents.empty() && drawn == own_random_seed(task);
  if (own || task.kind == to_word(Baseline::random_init)) task.training.random_seed = drawn;
  const std::string difference = recipe_difference(published.recipe, recipe_of(task, base));
  if (difference.empty()) return;
  throw input_error("{}: trained with another recipe: {}; set it back, or {}", task.name, difference, remedy);
}

void check_seed(const Plan& plan, const ForestBase& base) {
  ModelTask seed = seed_task(plan);
  ExpertInfo published = load_expert(base.paths.seed());
  if (seeded_by_all(plan)) seed.domains = published.domains;  // those added later have their own experts
  if (is_model_away(plan)) seed.init_sha256 = published.recipe.value("init_sha256", "");
  if (seed.tokens == 0 && !seed.init_sha256.empty()) {  // taken as it is, whatever trains the others
    const Json here = recipe_of(seed, base);
    for (const char* key : {"training", "trainer"}) {
      published.recipe.erase(key);
      if (here.contains(key)) published.recipe[key] = here[key];
    }
  }
  check_unchanged(published, seed, base, "grow another forest: every expert of this one descends from it");
}

// Baselines of equal compute train on all domains of the experts that were trained here.
void check_domains_of_baselines(const Forest& forest, const ForestBase& base) {
  for (const ExpertInfo& expert : forest.experts) {
    if (expert.imported) continue;
    for (const std::string& domain : expert.domains) {
      if (std::ranges::find(base.domains, domain, &DomainReport::name) != base.domains.end()) continue;
      throw input_error(
          "compare: '{}' was trained on the domain '{}', which the plan doesn't name, so that no baseline can be "
          "trained on as much: add domains.{}.text, or leave out compare",
          expert.name, domain, domain);
    }
  }
}

// Those that the plan's experts don't outgrow, so that they are not trained anew.
void check_baselines(const Plan& plan, const Forest& forest, const ForestBase& base) {
  const Forest planned = planned_forest(plan, forest, base.model);
  for (const ComparisonSettings& settings : plan.compare) {
    const auto [tasks, outgrown] = comparison_state(settings, planned, base.model.context);
    const fs::path folder = base.paths.comparison(comparison_name(settings));
    for (const ModelTask& task : outgrown ? std::vector<ModelTask>{} : tasks) {
      if (auto published = published_comparison(base.paths, task))
        check_unchanged(*published, task, base, fmt::format("delete {} to train it anew", folder.string()));
    }
  }
}

// Whether a cycle that branches by the weights of others has any to choose from when its turn comes.
bool has_candidates(const Plan& plan, std::size_t index, const Forest& forest) {
  const CycleSettings& cycle = plan.cycles[index];
  if (!chooses_experts(cycle.branch)) return true;
  for (std::size_t i = 0; i < index; ++i) {  // those to come
    for (const std::string& name : plan.cycles[i].experts) {
      const bool counts = cycle.after.empty() || std::ranges::find(cycle.after, name) != cycle.after.end();
      if (counts && !was_removed(forest, name)) return true;
    }
  }
  return !candidates(cycle, static_cast<int>(index) + 1, forest).empty();
}

// Where the checkpoint or the tokenizer that the plan begins with can't be used. What was made of them already is not
// asked for again.
void check_sources(const Plan& plan) {
  const ForestPaths paths{plan.forest};
  if (!plan.model.from.empty() && !is_published(paths.seed())) check_checkpoint(plan.model.from);
  const fs::path folder = fs::exists(paths.tokenizer()) ? paths.tokenizer() : fs::path(plan.tokenizer.from);
  const int size = folder.empty() ? plan.tokenizer.vocab_size : Tokenizer::load(folder).vocab_size();
  if (const int given = plan.model.config.vocab_size; given > 0 && given < size)
    throw input_error("model.vocab_size: {} is less than the tokenizer's {}", given, size);
}

}  // namespace

void check_parents(const Plan& plan, const Forest& forest) {
  std::vector<std::string> known;
  for (const ExpertInfo& expert : forest.experts) known.push_back(expert.name);
  for (std::size_t i = 0; i < plan.cycles.size(); ++i) {
    const CycleSettings& cycle = plan.cycles[i];
    const bool done = std::ranges::all_of(
        cycle.experts, [&forest](const std::string& name) { return forest.find(name) || was_removed(forest, name); });
    if (!done && !has_candidates(plan, i, forest)) {
      throw input_error(
          "cycles[{}].branch: {} needs experts of cycles before, and none is left; set it to seed or random", i,
          to_word(cycle.branch.from));
    }
    for (const auto& [name, weight] : cycle.branch.weights) {
      if (done || name == kSeedName || std::ranges::find(known, name) != known.end()) continue;
      throw input_error("cycles[{}].branch.weights.{}: neither an expert of a cycle before nor of the forest{}", i,
                        name, did_you_mean(nearest_word(name, known)));
    }
    for (const std::string& name : cycle.experts) {
      if (!was_removed(forest, name)) known.push_back(name);
    }
  }
}

void check_published(const Plan& plan, const ForestBase& base) {
  if (!is_published(base.paths.seed())) return;
  check_seed(plan, base);
  const Forest forest = forest_so_far(base.paths);
  for (std::size_t i = 0; i < plan.cycles.size(); ++i) {
    for (const std::string& name : plan.cycles[i].experts) {
      if (const ExpertInfo* expert = forest.find(name))
        check_unchanged(*expert, expert_task(plan, i, name), base, remedy(plan, forest, *expert));
    }
  }
  if (plan.compare.empty()) return;
  check_domains_of_baselines(forest, base);
  check_baselines(plan, forest, base);
}

void check_growable(const Plan& plan) {
  const ForestPaths paths{plan.forest};
  require_forest_folder(paths);
  check_parents(plan, forest_so_far(paths));
  check_tokenizer_unchanged(plan, paths);
  check_sources(plan);
}

void check_published(const Plan& plan) {
  const ForestPaths paths{plan.forest};
  const fs::path tokenizer = paths.tokenizer() / kTokenizerFile;
  if (!is_published(paths.seed()) || !fs::exists(tokenizer)) return;  // made anew, and then compared
  ForestBase base{paths, planned_model(plan), sha256_file(tokenizer), {}, plan.trainer.command};
  const std::vector<std::string> seeds = load_expert(paths.seed()).domains;
  for (const auto& [name, domain] : plan.domains) {
    const bool there = fs::exists(paths.tokens(name));
    const bool used = std::ranges::find(seeds, name) != seeds.end() || is_published(paths.expert(name));
    if (!there && used) return;  // they are made anew, and then compared
    if (there) {
      base.domains.push_back(load_domain_report(paths.tokens(name)));
    } else {
      base.domains.emplace_back().name = name;
    }
  }
  check_published(plan, base);
}

void require_texts(const Plan& plan) {
  for (const auto& [name, domain] : plan.domains) find_files(domain.text.text, "domain " + name, domain.text.except);
}

}  // namespace btm
