// Models of equal shape into one.
#pragma once

#include <span>

#include "btm/core/thread_team.h"
#include "btm/model/parameters.h"

namespace btm {

// sum [parameters] = sum_j weights[j] x parameters of models[j], added up in double in their order and rounded once; a
// model of weight 0 is not read. The bytes don't depend on the team.
void weighted_sum(std::span<const Model> models, std::span<const double> weights, ThreadTeam& team,
                  std::span<float> sum);

}  // namespace btm
