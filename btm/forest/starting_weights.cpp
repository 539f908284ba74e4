#include "btm/forest/starting_weights.h"

#include <algorithm>
#include <vector>

#include "btm/model/average.h"

namespace btm {
namespace {

fs::path folder_with(const Forest& forest, const ExpertInfo& expert, const Parent& parent) {
  if (forest.seed && forest.seed->weights_sha256 == parent.sha256) return forest.paths.seed();
  auto found = std::ranges::find(forest.experts, parent.sha256, &ExpertInfo::weights_sha256);
  if (found != forest.experts.end()) return forest.paths.expert(found->name);
  throw input_error(
      "{}: its delta is to the weights {} of '{}', which {} doesn't have; import that one first, or use a bundle made "
      "without --delta",
      expert.name, parent.sha256, parent.name, forest.paths.root.string());
}

}  // namespace

StartingWeights::StartingWeights(const Forest& forest, const ExpertInfo& expert, const fs::path& scratch) {
  std::vector<WeightedFolder> sources;
  for (const Parent& parent : expert.parents) {
    if (parent.weight == 0) continue;
    sources.push_back({folder_with(forest, expert, parent), parent.weight, parent.name, parent.sha256});
  }
  if (sources.empty()) {
    throw input_error("{}: it started from random weights, so there is no delta; export it without --delta",
                      expert.name);
  }
  if (sources.size() == 1) {
    weights_ = open_weights(sources.front().folder);
    return;
  }
  average_.emplace(fs::path(scratch.string() + ".start"));
  average_checkpoints(sources, average_->path());
  weights_ = open_weights(average_->path());
}

std::string_view StartingWeights::bytes_of(const TensorInfo& tensor) const {
  const TensorView* found = weights_.find(tensor.name);
  if (!found || found->shape != tensor.shape || found->dtype != tensor.dtype) {
    throw input_error("{}: no {} tensor {} of shape {} to take the difference to", weights_.folder.string(),
                      dtype_name(tensor.dtype), tensor.name, shape_text(tensor.shape));
  }
  return found->bytes;
}

}  // namespace btm
