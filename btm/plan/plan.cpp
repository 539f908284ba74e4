#include "btm/plan/plan.h"

#include <algorithm>
#include <map>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/forest/expert.h"
#include "btm/model/checkpoint.h"
#include "btm/plan/plan_check.h"

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

// A plan as resolved has every key, with the checkpoint's values. Its context alone may be less.
void take_shape_of_checkpoint(const YAML::Node& root, Plan& plan) {
  if (plan.model.from.empty()) return;
  ModelSettings shape{
      "", plan.model.from,
      load_config(is_model_away(plan) ? ForestPaths{plan.forest}.seed() : std::filesystem::path(plan.model.from))};
  if (root["model"]["context"].IsDefined()) {
    if (plan.model.config.context > shape.config.context) {
      throw input_error("model.context: {} is more than the {} of {}", plan.model.config.context, shape.config.context,
                        is_model_away(plan) ? "the forest" : fmt::format("model.from ({})", plan.model.from));
    }
    shape.config.context = plan.model.config.context;
  }
  const Json given = settings_json(plan.model), there = settings_json(shape);
  for (const auto& item : root["model"]) {
    const std::string key = item.first.Scalar();
    if (given[key] == there[key]) continue;
    throw input_error("model.{}: the shape comes from model.from ({}); leave this key out (context may be less)", key,
                      plan.model.from);
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

}  // namespace

void read_scalar(BranchSettings& s, const std::string& word) {
  kind_of<BranchKind>().read(YAML::Node(word), &s.from, "branch");
}

bool chooses_experts(const BranchSettings& branch) {
  return branch.weights.empty() && branch.from != BranchKind::seed && branch.from != BranchKind::random;
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
  with_context(name, [&] {
    if (plan.forest.empty()) throw input_error("forest is missing: the folder to grow in");
    if (plan.forest.starts_with("~/"))
      throw input_error("forest is {}, but only a shell knows what ~ is; write the folder out", plan.forest);
    take_shape_of_checkpoint(root, plan);
    check_plan(plan);
    apply_text_root(plan);
    set_forest(plan, plan.forest);
  });
  return plan;
}

Plan load_recorded_plan(const ForestPaths& paths) {
  auto plan = load_settings<Plan>(paths.plan());
  set_forest(plan, paths.root.string());
  return plan;
}

bool is_model_away(const Plan& plan) {
  const std::filesystem::path seed = ForestPaths{plan.forest}.seed();
  if (plan.model.from.empty() || std::filesystem::exists(plan.model.from) || !is_published(seed)) return false;
  const Json recipe = load_expert(seed).recipe;
  return recipe.is_object() && !recipe.value("init_sha256", "").empty();
}

void set_forest(Plan& plan, const std::string& folder) {
  plan.forest = folder;
  for (auto& [name, domain] : plan.domains) domain.text.except.emplace_back(folder);
}

}  // namespace btm
