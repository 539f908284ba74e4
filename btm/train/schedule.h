// The learning rate as a function of the update.
#pragma once

#include <cstdint>

#include "btm/train/settings.h"

namespace btm {

// For update u of U (u from 0), with peak p = learning_rate, share f = final_learning_rate, and the peak's update
//   k = max(1, floor(warmup * U)) - 1, the product in double (0.29 * 100 is below 29):
//     u <= k:  p * (u + 1) / (k + 1)                     linear warm-up; update k runs at the peak
//     u >  k:  p * (f + (1 - f) * s(t)),  t = (u - k) / (U - 1 - k)      t = 1, hence p * f, at the last update
//   s(t) = 1 (constant: f is not used), 1 - t (linear), (1 + cos(pi t)) / 2 (cosine), (1 - t)^power (polynomial).
double learning_rate(const TrainingSettings& settings, std::int64_t update, std::int64_t updates);

}  // namespace btm
