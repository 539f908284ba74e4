// The part of growing that makes tokens out of text: tokenizer/ and tokens/ of a forest.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "btm/data/prepare.h"
#include "btm/data/tokenizer.h"
#include "btm/forest/forest.h"
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

// Those that seed and experts were trained on here.
std::set<std::string> domains_in_use(const Forest& forest);

// Makes the tokens of every domain that has none (or takes a neighbour's), in the order of the plan. Where the text
// files have changed since: tokens that no model was trained on (`in_use`) are made again, others are Error(input).
std::vector<DomainReport> ensure_tokens(const Plan& plan, const ForestPaths& paths, const Tokenizer& tokenizer,
                                        const std::set<std::string>& in_use, const Neighbours& neighbours, int threads);

}  // namespace btm
