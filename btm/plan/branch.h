// Branch: the initial weights of a new expert out of existing ones (Li et al. 2022, section 2.2).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/forest/forest.h"
#include "btm/plan/plan.h"

namespace btm {

// Who the new expert of `domain` is branched from, with normalised weights. `candidates` are the experts to choose from
// (those of earlier cycles). Empty for random. posterior and argmax estimate the cached prior of the domain on the
// first `sequences` sequences of its own train tokens. Throws Error(input): no candidates, unknown names, weights
// summing to 0.
std::vector<Parent> branch_parents(const BranchSettings& settings, const Forest& forest,
                                   const std::vector<const ExpertInfo*>& candidates, const std::string& domain,
                                   const ScoringPlace& place);

// Throws Error(input) that ends with the remedy if the weights in the folder don't have this hash: what is made of them
// is said to come from weights of it.
void require_intact(const std::filesystem::path& folder, const std::string& sha256, const std::string& remedy);
std::string verify_advice(const ForestPaths& paths);  // the remedy in a forest

// The folder with the initial weights: the parent's own where there is one, else their average written to `output`.
std::filesystem::path branch_weights(const std::vector<Parent>& parents, const ForestPaths& paths,
                                     const std::filesystem::path& output);

}  // namespace btm
