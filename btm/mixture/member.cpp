#include "btm/mixture/member.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "btm/core/error.h"
#include "btm/core/hash.h"
#include "btm/model/checkpoint.h"
#include "btm/model/weighted_sum.h"

namespace btm {

Member single_member(const std::string& name, const std::filesystem::path& folder, const std::string& weights_sha256) {
  return {name, {{folder, 1, name, weights_sha256}}, weights_sha256};
}

std::vector<Member> expert_members(const Forest& forest) {
  std::vector<Member> members;
  for (const ExpertInfo& expert : forest.experts) {
    members.push_back(single_member(expert.name, forest.paths.expert(expert.name), expert.weights_sha256));
  }
  return members;
}

std::optional<Member> seed_member(const Forest& forest) {
  if (!forest.seed) return std::nullopt;
  return single_member(kSeedName, forest.paths.seed(), forest.seed->weights_sha256);
}

Member average_member(const std::string& name, std::span<const Member> members, std::span<const double> weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (!(sum > 0) || !std::isfinite(sum))
    throw input_error("{}: its weights sum to {}, where a finite number over 0 is needed", name, sum);
  Member average{name, {}, {}};
  std::string identity = "average";
  for (std::size_t j = 0; j < members.size(); ++j) {
    if (weights[j] == 0) continue;
    average.sources.push_back(
        {members[j].sources.front().folder, weights[j] / sum, members[j].name, members[j].identity});
    identity += fmt::format("\n{} {}", members[j].identity, weights[j] / sum);
    average.identity = members[j].identity;
  }
  if (average.sources.size() > 1) average.identity = sha256_hex(identity);
  return average;
}

Model load_member(const Member& member) {
  if (member.sources.size() == 1) return map_model(member.sources.front().folder);
  std::vector<Model> models;
  std::vector<double> weights;
  for (const WeightedFolder& source : member.sources) {
    models.push_back(map_model(source.folder));
    weights.push_back(source.weight);
    if (models.back().parameters.size() != models.front().parameters.size()) {
      throw input_error("{}: {} parameters, but the models before it have {}: unequal shapes can't be averaged",
                        source.folder.string(), models.back().parameters.size(), models.front().parameters.size());
    }
  }
  Model average{models.front().config, Buffer(models.front().parameters.size())};
  ThreadTeam team(1);
  weighted_sum(models, weights, team, average.parameters.span());
  return average;
}

}  // namespace btm
