#include "btm/plan/plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/data/bpe_train.h"
#include "btm/forest/admission.h"
#include "btm/forest/published_comparisons.h"
#include "btm/model/checkpoint.h"
#include "btm/plan/baselines.h"
#include "btm/train/external_trainer.h"
#include "btm/train/job.h"
#include "btm/train/ranks.h"

namespace btm {
namespace {

// Brown et al. 2020 (2005.14165), table 2.1, with the paper's context (Li et al. 2022, section 3.1).
const std::map<std::string, ModelConfig>& presets() {
  auto shape = [](int layers, int width, int heads) {
    ModelConfig config;
    config.layers = layers;
    config.width = width;
    config.heads = heads;
    config.context = 1024;
    return config;
  };
  static const std::map<std::string, ModelConfig> table = {{"gpt3-small", shape(12, 768, 12)},
                                                           {"gpt3-medium", shape(24, 1024, 16)},
                                                           {"gpt3-large", shape(24, 1536, 16)},
                                                           {"gpt3-xl", shape(24, 2048, 16)}};
  return table;
}

// Gives the map at `key` of `node` every entry of `defaults` that it doesn't set itself.
void inherit(const YAML::Node& defaults, YAML::Node node, const char* key) {
  if (!defaults.IsMap() || !node.IsMap()) return;
  YAML::Node own = node[key];
  if (own.IsDefined() && !own.IsMap()) return;  // a wrong type, which the reader reports
  if (own.IsDefined()) own = shallow_copy(own);
  for (const auto& item : defaults) {
    if (!own[item.first.Scalar()].IsDefined()) own[item.first.Scalar()] = item.second;
  }
}

// `training` goes down to the seed and the cycles; the comparisons take the first cycle's, as the dense model continues
// the seed with the same schedule as the experts do.
void hand_training_down(YAML::Node& root) {
  root = shallow_copy(root);
  for (const char* part : {"seed", "cycles", "compare"}) {
    if (!root[part].IsDefined()) continue;
    root[part] = shallow_copy(root[part]);
    if (!root[part].IsSequence()) continue;
    for (std::size_t i = 0; i < root[part].size(); ++i) root[part][i] = shallow_copy(root[part][i]);
  }
  YAML::Node training = root["training"];
  if (root["seed"].IsMap()) inherit(training, root["seed"], "training");
  YAML::Node of_experts = training;
  if (root["cycles"].IsSequence()) {
    for (YAML::Node cycle : root["cycles"]) inherit(training, cycle, "training");
    if (root["cycles"].size() > 0 && root["cycles"][0].IsMap()) of_experts.reset(root["cycles"][0]["training"]);
  } else if (root["cycles"].IsMap()) {  // a list of one may be written without its brackets
    inherit(training, root["cycles"], "training");
    of_experts.reset(root["cycles"]["training"]);
  }
  if (root["compare"].IsScalar()) root["compare"] = std::vector<std::string>{root["compare"].Scalar()};
  if (root["compare"].IsMap()) inherit(of_experts, root["compare"], "training");
  if (!root["compare"].IsSequence()) return;
  for (std::size_t i = 0; i < root["compare"].size(); ++i) {
    if (root["compare"][i].IsScalar()) {
      YAML::Node entry(YAML::NodeType::Map);
      entry["model"] = root["compare"][i].Scalar();
      root["compare"][i] = entry;
    }
    inherit(of_experts, root["compare"][i], "training");
  }
}

void apply_preset(const YAML::Node& root, Plan& plan) {
  YAML::Node model = root["model"];
  if (!model.IsDefined() || !model.IsMap()) return;
  YAML::Node name = model["preset"];
  if (!name.IsDefined() || !name.IsScalar() || name.Scalar().empty()) return;
  auto preset = presets().find(name.Scalar());
  if (preset == presets().end()) {
    throw input_error("model.preset: '{}' is not known; take gpt3-small, gpt3-medium, gpt3-large or gpt3-xl",
                      name.Scalar());
  }
  plan.model.config = preset->second;
}

// A plan as resolved has every key, with the checkpoint's values.
void take_shape_of_checkpoint(const YAML::Node& root, Plan& plan) {
  if (plan.model.from.empty()) return;
  const ModelSettings shape{
      "", plan.model.from,
      load_config(is_model_away(plan) ? ForestPaths{plan.forest}.seed() : std::filesystem::path(plan.model.from))};
  const Json given = settings_json(plan.model), there = settings_json(shape);
  for (const auto& item : root["model"]) {
    const std::string key = item.first.Scalar();
    if (given[key] == there[key]) continue;
    throw input_error("model.{}: the shape comes from model.from ({}); leave this key out", key, plan.model.from);
  }
  plan.model = shape;
  if (plan.tokenizer.from.empty()) plan.tokenizer.from = plan.model.from;
}

void apply_text_root(Plan& plan) {
  for (auto& [name, domain] : plan.domains) {
    for (std::string& path : domain.text.text) path = std::filesystem::path(plan.text_root) / path;
  }
  plan.text_root.clear();  // joined above; the resolved plan needs no root
}

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
    if (name == "all" || name == "seed")
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

// Those that the plan doesn't know may be in the forest (published.h).
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

void read_scalar(BranchSettings& s, const std::string& word) {
  kind_of<BranchKind>().read(YAML::Node(word), &s.from, "branch");
}

bool chooses_experts(const BranchSettings& branch) {
  return branch.weights.empty() && branch.from != BranchKind::seed && branch.from != BranchKind::random;
}

void check_branch(const BranchSettings& branch, const std::string& where) {
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

bool seeded_by_all(const Plan& plan) {
  return plan.seed.domains == std::vector<std::string>{"all"};
}

std::vector<std::string> seed_domains(const Plan& plan) {
  if (plan.seed.tokens == 0) return {};
  return seeded_by_all(plan) ? domains_of_role(plan, Role::train) : plan.seed.domains;
}

std::vector<CycleGroup> cycle_groups(const Plan& plan) {
  std::vector<CycleGroup> groups;
  for (std::size_t i = 0; i < plan.cycles.size(); ++i) {
    if (i == 0 || plan.cycles[i].after.empty()) groups.push_back({i, i});
    groups.back().last = i + 1;
  }
  for (CycleGroup& group : groups) {
    if (group.last == group.first + 1) continue;
    for (std::size_t i = group.first; i < group.last; ++i) group.together += plan.cycles[i].experts.size();
  }
  return groups;
}

std::vector<std::string> domains_of_role(const Plan& plan, Role role) {
  std::vector<std::string> result;
  for (const auto& [name, domain] : plan.domains) {
    if (domain.role == role) result.push_back(name);
  }
  return result;
}

const DomainSettings& find_domain(const Plan& plan, const std::string& name) {
  for (const auto& [domain_name, domain] : plan.domains) {
    if (domain_name == name) return domain;
  }
  throw input_error("domain '{}' is not in the plan", name);
}

Plan load_plan(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  YAML::Node root = parse_yaml(read_file(file), file.string());
  if (!root.IsMap()) throw input_error("{}: a plan is a map of settings; see examples/", file.string());
  for (const std::string& assignment : overrides) apply_override(root, assignment);
  if (!root["seed"].IsDefined()) root["seed"] = YAML::Node(YAML::NodeType::Map);
  hand_training_down(root);
  Plan plan;
  apply_preset(root, plan);
  const std::string name = file.string() + (overrides.empty() ? "" : " with --set");
  read_settings(root, plan, name);
  try {
    if (plan.forest.empty()) throw input_error("forest is missing: the folder to grow in");
    if (plan.forest.starts_with("~/"))
      throw input_error("forest is {}, but only a shell knows what ~ is; write the folder out", plan.forest);
    take_shape_of_checkpoint(root, plan);
    ModelConfig config = plan.model.config;
    if (plan.tokenizer.sample_bytes < 1)
      throw input_error("tokenizer.sample_bytes is {}, but must be at least 1", plan.tokenizer.sample_bytes);
    if (plan.tokenizer.from.empty()) check_vocab_size(plan.tokenizer.vocab_size, "tokenizer.vocab_size");
    if (config.vocab_size == 0) config.vocab_size = plan.tokenizer.vocab_size;
    resolve(config);  // throws where the shape can't be
    check_training(plan.training, "training");
    check_domains(plan);
    check_seed(plan);
    check_cycles(plan);
    check_comparisons(plan);
    apply_text_root(plan);
    set_forest(plan, plan.forest);
    check_evaluation(plan.evaluate);
    check_launcher(plan.launcher);
    check_trainer(plan);
  } catch (const Error& e) {
    throw Error(e.cause(), name + ": " + e.what());
  }
  return plan;
}

Plan load_recorded_plan(const ForestPaths& paths) {
  Plan plan;
  read_settings(parse_yaml(read_file(paths.plan()), paths.plan().string()), plan, paths.plan().string());
  set_forest(plan, paths.root.string());
  return plan;
}

bool is_model_away(const Plan& plan) {
  return !plan.model.from.empty() && !std::filesystem::exists(plan.model.from) &&
         is_published(ForestPaths{plan.forest}.seed());
}

void set_forest(Plan& plan, const std::string& folder) {
  plan.forest = folder;
  for (auto& [name, domain] : plan.domains) domain.text.except.emplace_back(folder);
}

}  // namespace btm
