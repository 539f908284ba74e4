// A finished run becomes a model of the forest.
#pragma once

#include <filesystem>
#include <vector>

#include "btm/forest/expert.h"
#include "btm/forest/paths.h"

namespace btm {

// Copies a finished run's model folder (RUN/model), with expert.json and RUN/metrics.jsonl if there, to experts/NAME
// and logs the merge. Weights are hard-linked where the file system allows. Hashes that `info` lacks are filled in,
// those that it has are checked; weights of parents are normalised to sum to 1. Merged already with the same recipe:
// does nothing, or puts the lost folder back. Throws Error(input) for another recipe (naming the first key that
// differs), another tokenizer or shape than the forest's, unknown parents. The caller holds the forest's lock.
void merge_expert(const ForestPaths& paths, const std::filesystem::path& run, const ExpertInfo& info);

// The same folder format at `target`, not logged: the seed and comparisons. Published already with the same recipe:
// does nothing; with another: Error(input). The caller holds the forest's lock.
void publish_model(const std::filesystem::path& target, const std::filesystem::path& run, const ExpertInfo& info);

// The same for the models RUN/model/NAME of a run that left several, at TARGET/NAME; `infos` say their names. The
// target is made whole or not at all.
void publish_models(const std::filesystem::path& target, const std::filesystem::path& run,
                    const std::vector<ExpertInfo>& infos);

}  // namespace btm
