#include "btm/plan/branch.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/core/sums.h"
#include "btm/mixture/domain_sample.h"
#include "btm/mixture/member.h"
#include "btm/model/average.h"
#include "btm/model/checkpoint.h"

namespace btm {
namespace {

std::filesystem::path folder_of(const ForestPaths& paths, const std::string& name) {
  return name == kSeedName ? paths.seed() : paths.expert(name);
}

Parent parent_of(const Forest& forest, const std::string& name, double weight) {
  if (name == kSeedName) {
    if (!forest.seed) throw input_error("branch: {} has no seed yet", forest.paths.root.string());
    return {name, weight, forest.seed->weights_sha256};
  }
  const ExpertInfo* expert = forest.find(name);
  if (!expert) throw input_error("branch.weights: the forest has no expert '{}'", name);
  return {name, weight, expert->weights_sha256};
}

std::vector<double> weights_by_kind(const BranchSettings& settings, const Forest& forest,
                                    const std::vector<const ExpertInfo*>& candidates, const std::string& domain,
                                    const ScoringPlace& place) {
  if (settings.from == BranchKind::uniform) return std::vector<double>(candidates.size(), 1.0);
  std::vector<Member> members;
  members.reserve(candidates.size());
  for (const ExpertInfo* expert : candidates) {
    members.push_back(single_member(expert->name, forest.paths.expert(expert->name), expert->weights_sha256));
  }
  Scores sample = score_sample(forest, members, {domain, "train", settings.sequences}, place, true);
  std::vector<double> weights = cached_prior(sample, kExactBayes);
  keep_largest(weights, settings.from == BranchKind::argmax ? 1 : settings.top_k);
  drop_small(weights);
  return weights;
}

void normalise(std::vector<Parent>& parents) {
  std::erase_if(parents, [](const Parent& parent) { return parent.weight == 0; });
  double sum = 0;
  for (const Parent& parent : parents) sum += parent.weight;
  if (!(sum > 0)) throw input_error("branch: the weights sum to {}; at least one must be more than 0", sum);
  for (Parent& parent : parents) parent.weight /= sum;
}

}  // namespace

void require_intact(const std::filesystem::path& folder, const std::string& sha256, const std::string& remedy) {
  const std::string found = weights_sha256(folder);
  if (found == sha256) return;
  throw input_error("{}: damaged, its weights have SHA-256 {} instead of {}; {}", folder.string(), found.substr(0, 12),
                    sha256.substr(0, 12), remedy);
}

std::string verify_advice(const ForestPaths& paths) {
  return fmt::format("`btm verify {}` says what can be done", paths.root.string());
}

std::vector<Parent> branch_parents(const BranchSettings& settings, const Forest& forest,
                                   const std::vector<const ExpertInfo*>& candidates, const std::string& domain,
                                   const ScoringPlace& place) {
  std::vector<Parent> parents;
  if (!settings.weights.empty()) {
    for (const auto& [name, weight] : settings.weights) parents.push_back(parent_of(forest, name, weight));
  } else if (settings.from == BranchKind::random) {
    return {};
  } else if (settings.from == BranchKind::seed) {
    parents.push_back(parent_of(forest, kSeedName, 1));
  } else {
    if (candidates.empty()) throw input_error("branch: the forest has no experts yet; branch from the seed");
    std::vector<double> weights = weights_by_kind(settings, forest, candidates, domain, place);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      parents.push_back({candidates[i]->name, weights[i], candidates[i]->weights_sha256});
    }
  }
  normalise(parents);
  return parents;
}

std::filesystem::path branch_weights(const std::vector<Parent>& parents, const ForestPaths& paths,
                                     const std::filesystem::path& output) {
  if (parents.empty()) return {};
  require_replaceable(output, kAverageRecord, "average");
  if (parents.size() == 1) return folder_of(paths, parents.front().name);
  for (const Parent& parent : parents) {
    require_intact(folder_of(paths, parent.name), parent.sha256, verify_advice(paths));
  }
  std::vector<WeightedFolder> sources;
  sources.reserve(parents.size());
  for (const Parent& parent : parents)
    sources.push_back({folder_of(paths, parent.name), parent.weight, parent.name, parent.sha256});
  FolderWriter folder(output);
  average_checkpoints(sources, folder.path());
  write_sums(folder.path());
  folder.publish();
  return output;
}

}  // namespace btm
