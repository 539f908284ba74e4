// What several sections read out of results/evaluation.json.
#pragma once

#include <string>
#include <vector>

#include "btm/core/settings.h"

namespace btm {

// What a plot of all domains shows at first, of the rows there are: the references, the whole ensemble and the best
// average.
std::vector<std::string> chosen_models(const Json& rows);

std::string role_heading(const Json& domain);  // "train domains" or "novel domains"

}  // namespace btm
