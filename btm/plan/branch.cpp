#include "btm/plan/branch.h"

#include <algorithm>
#include <numeric>

#include "btm/core/files.h"
#include "btm/data/token_store.h"
#include "btm/mixture/prior.h"
#include "btm/mixture/scores.h"
#include "btm/model/average.h"
#include "btm/model/checkpoint.h"

namespace btm {
namespace {

constexpr double kExactBayes = 1;  // forgetting factor: the paper's posterior

std::filesystem::path folder_of(const ForestPaths& paths, const std::string& name) {
  return name == "seed" ? paths.seed() : paths.expert(name);
}

Parent parent_of(const Forest& forest, const std::string& name, double weight) {
  if (name == "seed") return {name, weight, weights_sha256(forest.paths.seed())};
  const ExpertInfo* expert = forest.find(name);
  if (!expert) throw input_error("branch.weights: the forest has no expert '{}'", name);
  return {name, weight, expert->weights_sha256};
}

std::vector<double> posterior_of(const Forest& forest, const std::vector<const ExpertInfo*>& candidates,
                                 const std::string& domain, int sequences, int threads) {
  TokenStore store(forest.paths.tokens(domain) / "train");
  int length = load_config(forest.paths.expert(candidates.front()->name)).context;
  std::int64_t tokens = std::min<std::int64_t>(store.tokens(), std::int64_t{sequences} * length + 1);
  std::vector<TokenId> sample(static_cast<std::size_t>(tokens));
  store.copy_stream(0, sample);
  Scores scores{{}, tokens - 1, length, {}};
  for (const ExpertInfo* expert : candidates) {  // one model in memory at a time
    Model model = load_model(forest.paths.expert(expert->name));
    std::vector<float> log_probs = score_text(model, expert->name, sample, length, threads);
    scores.experts.push_back(expert->name);
    scores.log_probs.insert(scores.log_probs.end(), log_probs.begin(), log_probs.end());
  }
  return cached_prior(scores, kExactBayes);
}

void keep_largest(std::vector<double>& weights, int k) {
  if (k <= 0 || k >= static_cast<int>(weights.size())) return;
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  for (std::size_t i = static_cast<std::size_t>(k); i < order.size(); ++i) weights[order[i]] = 0;
}

std::vector<double> weights_by_kind(const BranchSettings& settings, const Forest& forest,
                                    const std::vector<const ExpertInfo*>& candidates, const std::string& domain,
                                    int threads) {
  if (settings.from == BranchKind::uniform) return std::vector<double>(candidates.size(), 1.0);
  std::vector<double> weights = posterior_of(forest, candidates, domain, settings.sequences, threads);
  keep_largest(weights, settings.from == BranchKind::argmax ? 1 : settings.top_k);
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

std::vector<Parent> branch_parents(const BranchSettings& settings, const Forest& forest,
                                   const std::vector<const ExpertInfo*>& candidates, const std::string& domain,
                                   int threads) {
  std::vector<Parent> parents;
  if (!settings.weights.empty()) {
    for (const auto& [name, weight] : settings.weights) parents.push_back(parent_of(forest, name, weight));
  } else if (settings.from == BranchKind::random) {
    return {};
  } else if (settings.from == BranchKind::seed) {
    parents.push_back(parent_of(forest, "seed", 1));
  } else {
    if (candidates.empty()) throw input_error("branch: the forest has no experts yet; branch from the seed");
    std::vector<double> weights = weights_by_kind(settings, forest, candidates, domain, threads);
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
  if (parents.size() == 1) return folder_of(paths, parents.front().name);
  std::vector<WeightedFolder> sources;
  for (const Parent& parent : parents) sources.push_back({folder_of(paths, parent.name), parent.weight, parent.name});
  FolderWriter folder(output);
  average_checkpoints(sources, folder.path());
  folder.publish();
  return output;
}

}  // namespace btm
