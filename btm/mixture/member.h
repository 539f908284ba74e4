// What can be scored or run as one language model: a checkpoint folder, or the average of several.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "btm/forest/forest.h"
#include "btm/model/average.h"
#include "btm/model/parameters.h"

namespace btm {

struct Member {
  std::string name;
  std::vector<WeightedFolder> sources;
  std::string identity;  // SHA-256 of the weights, or of what they are made of
};

Member single_member(const std::string& name, const std::filesystem::path& folder, const std::string& weights_sha256);

// The experts of the forest, in its order.
std::vector<Member> expert_members(const Forest& forest);
std::optional<Member> seed_member(const Forest& forest);

// Weights are normalised, members of weight 0 left out. Throws Error(input): a sum that is not finite and over 0.
Member average_member(const std::string& name, std::span<const Member> members, std::span<const double> weights);

// Folders are mapped (see map_model); an average takes the memory of the result beside. Throws Error(input): unequal
// shapes.
Model load_member(const Member& member);

}  // namespace btm
