// tokenizer/ of a forest: made once, and checked against the plan ever after.
#pragma once

#include "btm/data/tokenizer.h"
#include "btm/forest/paths.h"
#include "btm/plan/neighbours.h"
#include "btm/plan/plan.h"

namespace btm {

// Whether the forest has a tokenizer. Throws Error(input) if it is one that the plan's settings would not give; where
// tokenizer.from is away, none can be told.
bool check_tokenizer_unchanged(const Plan& plan, const ForestPaths& paths);

// Whether the plan's forest has one that was trained for it, with these settings. Throws Error(input) where that can't
// be read.
bool has_tokenizer_of(const Plan& plan);

// Makes the forest's tokenizer if it has none: trained on the train domains of the plan, or taken from tokenizer.from
// or a neighbour. Throws Error(input) as above.
Tokenizer ensure_tokenizer(const Plan& plan, const ForestPaths& paths, const Neighbours& neighbours, int threads);

}  // namespace btm
