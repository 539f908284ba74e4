#include "btm/plan/plan_check.h"

#include <algorithm>
#include <set>

#include "btm/core/error.h"
#include "btm/core/format.h"
#include "btm/data/bpe_train.h"
#include "btm/forest/admission.h"
#include "btm/forest/published_comparisons.h"
#include "btm/plan/baselines.h"
#include "btm/train/external_trainer.h"
#include "btm/train/job_check.h"
#include "btm/train/ranks.h"

namespace btm {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

void check_domains(const Plan& plan) {
  if (plan.domains.empty()) throw input_error("domains: none given; name at least one body of text");
  std::set<std::string> seen;
  for (const auto& [name, domain] : plan.domains) {
    bool plain = !name.empty() && name.find_first_not_of(
                                      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_-.") == std::string::npos;
    if (!plain || !is_plain_name(name)) {
      throw input_error("domains: '{}' can't be a folder's name; use some letters, digits, _ and -", name);
    }
    if (name == "all" || name == kSeedName)
      throw input_error("domains: '{}' is a word of the plan; rename the domain", name);
    if (!seen.insert(name).second) throw input_error("domains: '{}' is there twice", name);
    if (contains(domain.text.text, "")) throw input_error("domains.{}.text: an empty path", name);
    if (domain.text.text.empty()) throw input_error("domains.{}.text is missing: give files, folders or globs", name);
  }
  if (domains_of_role(plan, Role::train).empty()) throw input_error("domains: none has role train");
}

std::vector<std::string> experts_before(const Plan& plan, std::size_t cycle) {
  std::vector<std::string> experts;
  for (std::size_t i = 0; i < cycle; ++i) {
    experts.insert(experts.end(), plan.cycles[i].experts.begin(), plan.cycles[i].experts.end());
  }
  return experts;
}

// Those that the plan doesn't know may be in the forest (growable.h).
void check_weights(const Plan& plan, std::size_t index, const std::string& where) {
  const CycleSettings& cycle = plan.cycles[index];
  const std::vector<std::string> before = experts_before(plan, index), all = experts_before(plan, plan.cycles.size());
  for (const auto& [name, weight] : cycle.branch.weights) {
    if (!contains(before, name) && contains(all, name)) {
      throw input_error("{}.branch.weights.{}: it is not an expert of a cycle before", where, name);
    }
    if (!cycle.after.empty() && contains(before, name) && !contains(cycle.after, name)) {
      throw input_error("{}.branch.weights.{}: add it to {}.after, so that it is there", where, name, where);
    }
  }
}

// Whom the cycle waits for, and that it waits for all whom it branches from.
void check_parents(const Plan& plan, std::size_t index, const std::string& where) {
  const CycleSettings& cycle = plan.cycles[index];
  const std::vector<std::string> before = experts_before(plan, index);
  for (const std::string& name : cycle.after) {
    if (name == kSeedName || contains(before, name)) continue;
    throw input_error("{}.after: '{}' is not an expert of a cycle before{}", where, name,
                      did_you_mean(nearest_word(name, before)));
  }
  const BranchSettings& branch = cycle.branch;
  const bool has_experts = cycle.after.empty() ? index > 0 : cycle.after != std::vector<std::string>{kSeedName};
  if (chooses_experts(branch) && !has_experts) {
    throw input_error("{}.branch: {} no experts to branch from; use seed or random", where,
                      index == 0 ? "the first cycle has" : "the cycle waits for the seed alone, so it has");
  }
  check_branch(branch, where + ".branch");
  check_weights(plan, index, where);
}

void check_cycles(const Plan& plan) {
  std::vector<std::string> train = domains_of_role(plan, Role::train);
  std::set<std::string> seen;
  for (std::size_t i = 0; i < plan.cycles.size(); ++i) {
    const CycleSettings& cycle = plan.cycles[i];
    std::string where = fmt::format("cycles[{}]", i);
    if (cycle.experts.empty()) throw input_error("{}.experts: none given", where);
    for (const std::string& name : cycle.experts) {
      if (!contains(train, name)) {
        throw input_error("{}.experts: '{}' is not a train domain{}", where, name,
                          did_you_mean(nearest_word(name, train)));
      }
      if (!seen.insert(name).second) throw input_error("{}.experts: '{}' has an expert already", where, name);
      if (is_name_of_comparison(name))
        throw input_error("{}.experts: '{}' is what a baseline is called; rename the domain", where, name);
    }
    if (cycle.tokens <= 0) throw input_error("{}.tokens must be more than 0", where);
    check_parents(plan, i, where);
    check_training(cycle.training, where + ".training");
    check_updates(cycle.tokens, cycle.training, plan.model.config.context, where + ".");
  }
}

void check_comparisons(const Plan& plan) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < plan.compare.size(); ++i) {
    const ComparisonSettings& comparison = plan.compare[i];
    const std::string where = fmt::format("compare[{}]", i), name = comparison_name(comparison);
    if (!seen.insert(name).second) throw input_error("{}: {} is there twice; a forest has one of a name", where, name);
    if (comparison.tokens < 0) throw input_error("{}.tokens is {}, but must be 0 or more", where, comparison.tokens);
    check_training(comparison.training, where + ".training");
    if (comparison.tokens > 0) {
      check_updates(comparison.tokens, comparison.training, plan.model.config.context, where + ".");
    } else {  // forecast() tells them from the forest
      check_batch(comparison.training, plan.model.config.context, where + ".");
    }
  }
}

void check_seed(const Plan& plan) {
  const std::vector<std::string> train = domains_of_role(plan, Role::train);
  std::set<std::string> seen;
  if (plan.seed.domains.empty() && plan.seed.tokens > 0)
    throw input_error("seed.domains: none given; name train domains, or all");
  for (const std::string& name : plan.seed.domains) {
    if (seeded_by_all(plan)) break;
    if (name == "all") throw input_error("seed.domains: 'all' stands alone");
    if (!contains(train, name)) throw input_error("seed.domains: '{}' is not a train domain", name);
    if (!seen.insert(name).second) throw input_error("seed.domains: '{}' is there twice", name);
  }
  if (plan.seed.tokens < 0) throw input_error("seed.tokens is {}, but must be 0 or more", plan.seed.tokens);
  check_training(plan.seed.training, "seed.training");
  if (plan.seed.tokens > 0) {
    check_updates(plan.seed.tokens, plan.seed.training, plan.model.config.context, "seed.");
  }
}

void check_trainer(const Plan& plan) {
  if (plan.trainer.command.empty()) return;
  check_trainer_command(plan.trainer.command);
  if (plan.launcher.ranks > 1) {
    throw input_error("launcher.ranks is {}, but trainer.command starts its own processes; set it to 1",
                      plan.launcher.ranks);
  }
  for (const ComparisonSettings& comparison : plan.compare) {
    if (comparison.model == Baseline::demix || comparison.model == Baseline::random_split) {
      throw input_error("compare: {} can be trained by btm alone, but trainer.command is set; take it out",
                        to_word(comparison.model));
    }
  }
}

void check_launcher(const LauncherSettings& s) {
  if (s.ranks > 1 && mpi_library().empty()) {
    throw input_error("launcher.ranks is {}, but this btm was built without MPI; install one and build it again",
                      s.ranks);
  }
  auto at_least = [](const char* key, int value, int least) {
    if (value < least) throw input_error("launcher.{} is {}, but must be at least {}", key, value, least);
  };
  at_least("workers", s.workers.value_or(1), 1);
  at_least("threads", s.threads.value_or(1), 1);
  at_least("nodes", s.nodes, 1);
  at_least("ranks", s.ranks, 1);
  at_least("retries", s.retries, 0);
}

}  // namespace

void check_branch(const BranchSettings& branch, const std::string& where) {
  if (!branch.weights.empty() && (branch.from != BranchSettings().from || branch.top_k != 0)) {
    throw input_error("{}.weights say all: leave out from and top_k", where);
  }
  for (const auto& [name, weight] : branch.weights) {
    if (!(weight >= 0)) throw input_error("{}.weights.{}: {} is not 0 or more", where, name, weight);
  }
  const bool none = std::ranges::all_of(branch.weights, [](const auto& each) { return each.second == 0; });
  if (!branch.weights.empty() && none) {
    throw input_error("{}.weights: all are 0; at least one must be more than 0", where);
  }
  if (branch.top_k < 0) throw input_error("{}.top_k is {}, but can't be negative", where, branch.top_k);
  if (branch.sequences < 1) throw input_error("{}.sequences is {}, but must be at least 1", where, branch.sequences);
}

void check_plan(const Plan& plan) {
  ModelConfig config = plan.model.config;
  if (plan.tokenizer.sample_bytes < 1)
    throw input_error("tokenizer.sample_bytes is {}, but must be at least 1", plan.tokenizer.sample_bytes);
  if (plan.tokenizer.from.empty()) check_vocab_size(plan.tokenizer.vocab_size, "tokenizer.vocab_size");
  if (config.vocab_size == 0) config.vocab_size = plan.tokenizer.vocab_size;
  resolve(config);  // throws where the shape can't be
  if (config.architecture == Architecture::qwen2 && plan.model.from.empty()) {
    throw input_error(
        "model.architecture: qwen2 is for checkpoints of that family (model.from), whose tokenizer transformers always "
        "puts beside it; for a new model take llama");
  }
  check_training(plan.training, "training");
  check_domains(plan);
  check_seed(plan);
  check_cycles(plan);
  check_comparisons(plan);
  check_evaluation(plan.evaluate, "evaluate.");
  check_launcher(plan.launcher);
  check_trainer(plan);
}

}  // namespace btm
