#include "btm/plan/merged_run.h"

#include <algorithm>
#include <set>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/format.h"
#include "btm/core/hash.h"
#include "btm/model/average.h"
#include "btm/plan/jobs.h"
#include "btm/train/result.h"

namespace btm {
namespace {

// The model of the forest, living or removed, with these weights.
const ExpertInfo* find_weights(const Forest& forest, const std::string& sha256) {
  auto has = [&sha256](const ExpertInfo& info) { return info.weights_sha256 == sha256; };
  if (forest.seed && has(*forest.seed)) return &*forest.seed;
  for (const auto* experts : {&forest.experts, &forest.removed}) {
    auto at = std::find_if(experts->begin(), experts->end(), has);
    if (at != experts->end()) return &*at;
  }
  return nullptr;
}

Parent parent_by_weights(const Forest& forest, const fs::path& init, const std::string& sha256, double weight) {
  const ExpertInfo* found = find_weights(forest, sha256);
  if (!found) {
    throw input_error(
        "{}: weights with the hash {} are of no model of the forest; name the parents: --parent NAME=WEIGHT",
        init.string(), sha256);
  }
  return {found->kind == kSeedName ? std::string(kSeedName) : found->name, weight, sha256};
}

// Whose weights the run started from: those of the average that `btm branch` made, or of the one model.
std::vector<Parent> parents_of_init(const Forest& forest, const TrainingJob& job) {
  if (job.init.empty()) return {};
  fs::path record = fs::path(job.init) / kAverageRecord;
  if (!fs::exists(record)) return {parent_by_weights(forest, job.init, job.init_sha256, 1)};
  std::vector<Parent> parents;
  try {
    const Json json = read_json_object(record);
    for (const Json& source : json.at("sources")) {
      double weight = source.at("weight").get<double>();
      if (weight == 0) continue;
      std::string hash = source.value("sha256", source.value("xxh3", ""));
      parents.push_back(parent_by_weights(forest, job.init, hash, weight));
    }
  } catch (const Json::exception& e) {
    throw input_error("{}: broken ({}); name the parents: --parent NAME=WEIGHT", record.string(), e.what());
  }
  return parents;
}

// Named parents are taken at their word where nothing is known of the run's initial weights.
void check_named(const std::vector<Parent>& named, const Forest& forest, const TrainingJob& job) {
  std::vector<Parent> known;
  try {
    known = parents_of_init(forest, job);
  } catch (const Error&) {
    return;
  }
  const auto names = [](const std::vector<Parent>& parents) {
    std::set<std::string> found;
    for (const Parent& parent : parents) found.insert(parent.name);
    return found;
  };
  if (known.empty() || names(known) == names(named)) return;
  throw input_error("--parent: the run started from {}; leave it out", fmt::join(names(known), ", "));
}

std::vector<Parent> parents_of(const MergedRun& merged, const Forest& forest, const TrainingJob& job) {
  if (merged.parents.empty()) return parents_of_init(forest, job);
  check_named(merged.parents, forest, job);
  std::vector<Parent> parents = merged.parents;
  double sum = 0;
  for (const Parent& parent : parents) sum += parent.weight;
  for (Parent& parent : parents) {
    parent.weight /= sum > 0 ? sum : 1;
    for (const auto* experts : {&forest.removed, &forest.experts}) {  // the living one last, so that it counts
      for (const ExpertInfo& info : *experts) {
        if (info.name == parent.name) parent.sha256 = info.weights_sha256;
      }
    }
    if (parent.name == kSeedName && forest.seed) parent.sha256 = forest.seed->weights_sha256;
  }
  return parents;
}

// One cycle after the youngest parent.
int next_cycle(const Forest& forest, const std::vector<Parent>& parents) {
  int cycle = 0;
  for (const auto* experts : {&forest.experts, &forest.removed}) {
    for (const ExpertInfo& info : *experts) {
      bool is_parent = std::any_of(parents.begin(), parents.end(), [&info](const Parent& parent) {
        return parent.name == info.name && parent.sha256 == info.weights_sha256;
      });
      if (is_parent) cycle = std::max(cycle, info.cycle);
    }
  }
  return cycle + 1;
}

// As `btm grow` records it: the seed alone is the default, anything else was chosen.
Json branch_of(const std::vector<Parent>& parents) {
  BranchSettings branch;
  if (parents.empty()) branch.from = BranchKind::random;
  if (parents.size() != 1 || parents.front().name != kSeedName) {
    for (const Parent& parent : parents) branch.weights.push_back({parent.name, parent.weight});
  }
  return settings_json(branch);
}

// Those that the run was trained on, or those given, of which the forest has tokens: a slip of the pen would be an
// expert of a domain that no plan can have.
std::vector<std::string> domains_of(const MergedRun& merged, const ForestPaths& paths, const TrainingJob& job) {
  std::vector<std::string> trained_on, known;
  for (const TrainingData& data : job.data) trained_on.push_back(data.domain);
  if (merged.domains.empty()) return trained_on;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(paths.tokens(), none)) {
    known.push_back(entry.path().filename().string());
  }
  std::ranges::sort(known);
  known.insert(known.end(), trained_on.begin(), trained_on.end());
  for (const std::string& domain : merged.domains) {
    if (std::ranges::find(known, domain) != known.end()) continue;
    throw input_error("--domain {}: {} has no tokens of that domain{}", domain, paths.root.string(),
                      did_you_mean(nearest_word(domain, known), "make them with btm prepare"));
  }
  return merged.domains;
}

}  // namespace

ExpertInfo expert_of_run(const MergedRun& merged, const Forest& forest) {
  const fs::path& run = merged.run;
  const TrainingJob job = load_job(run);
  const std::optional<TrainingResult> result = load_result(run);
  if (!result)
    throw input_error("{}: the run isn't finished (no result.json); go on with: btm train {}", run.string(),
                      run.string());
  ModelTask task;
  task.name = merged.name.empty() ? job.name : merged.name;
  task.kind = kExpertKind;
  task.parents = parents_of(merged, forest, job);
  task.branch = branch_of(task.parents);
  task.cycle = merged.cycle.value_or(next_cycle(forest, task.parents));
  task.tokens = job.tokens;
  task.training = job.training;
  task.first_round = job.first_round;
  task.part = job.part;
  task.parts = job.parts;
  ForestBase base{forest.paths, job.model, sha256_file(RunPaths{run}.model() / kTokenizerFile), {}, job.trainer};
  for (const TrainingData& data : job.data) {
    task.domains.push_back(data.domain);
    base.domains.emplace_back().name = data.domain;
    base.domains.back().train_sha256 = data.train_sha256;
  }
  ExpertInfo info = info_of(task, base, *result);
  info.domains = domains_of(merged, forest.paths, job);
  return info;
}

}  // namespace btm
