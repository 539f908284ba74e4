// Models of results/forest.json in words.
#pragma once

#include <string>
#include <vector>

#include "btm/core/settings.h"

namespace btm {

std::string domains_of(const Json& model);  // "python, rust", "64 domains"
std::string parents_of(const Json& model);  // "0.7 python + 0.3 rust", the weightiest first, "+ 60 more"

std::vector<const Json*> models_of(const Json& forest);  // the seed, the comparisons, the experts

}  // namespace btm
