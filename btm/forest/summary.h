// A forest in numbers, for reports: results/forest.json (docs/formats.md).
#pragma once

#include "btm/core/settings.h"
#include "btm/forest/forest.h"

namespace btm {

// {"seed", "experts", "removed", "elsewhere", "comparisons"}: cost, outcome, lineage and training curve of every model,
// out of log.jsonl, expert.json, config.json and metrics.jsonl; what a model folder lacks is left out. Models are named
// as in lineage.h (NAME@HASH for a removed one whose name was used again). Throws Error(input): a broken file.
Json forest_summary(const Forest& forest);

}  // namespace btm
