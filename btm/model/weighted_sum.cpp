#include "btm/model/weighted_sum.h"

#include <algorithm>
#include <array>

namespace btm {
namespace {

constexpr std::size_t kStripe = 2048;  // floats summed at once: they stay in the first-level cache

}  // namespace

void weighted_sum(std::span<const Model> models, std::span<const double> weights, ThreadTeam& team,
                  std::span<float> sum) {
  team.share((sum.size() + kStripe - 1) / kStripe, [&](std::size_t stripe) {
    const std::size_t begin = stripe * kStripe, count = std::min(kStripe, sum.size() - begin);
    std::array<double, kStripe> part;
    std::fill_n(part.begin(), count, 0.0);
    for (std::size_t j = 0; j < models.size(); ++j) {
      if (weights[j] == 0) continue;
      const float* own = models[j].parameters.data() + begin;
      for (std::size_t i = 0; i < count; ++i) part[i] += weights[j] * own[i];
    }
    std::copy_n(part.begin(), count, sum.data() + begin);
  });
}

}  // namespace btm
