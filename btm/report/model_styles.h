// One look for a model in all plots of a report.
#pragma once

#include <string>
#include <vector>

namespace btm {

// A style (see plot.h) for each name, all different: the seed, the dense model and the ensemble always have the same.
std::vector<int> model_styles(const std::vector<std::string>& names);

}  // namespace btm
