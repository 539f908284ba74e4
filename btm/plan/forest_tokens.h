// tokens/ of a forest: made out of the domains' text, and checked against it ever after.
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

// Those that seed and experts were trained on here.
std::set<std::string> domains_in_use(const Forest& forest);

// Makes the tokens of every domain that has none (or takes a neighbour's), in the order of the plan. Where the text
// files have changed since: tokens that no model was trained on (`in_use`) are made again, others are Error(input).
std::vector<DomainReport> ensure_tokens(const Plan& plan, const ForestPaths& paths, const Tokenizer& tokenizer,
                                        const std::set<std::string>& in_use, const Neighbours& neighbours, int threads);

}  // namespace btm
