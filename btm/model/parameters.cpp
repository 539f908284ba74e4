#include "btm/model/parameters.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "btm/core/random.h"

namespace btm {
namespace {

constexpr double kInitialDeviation = 0.02;  // Radford et al. 2019, GPT-2

}  // namespace

Model random_model(const ModelConfig& config, std::uint64_t seed) {
  Model model{resolve(config), Buffer(static_cast<std::size_t>(parameter_count(config)))};
  double residual_deviation = kInitialDeviation / std::sqrt(2.0 * model.config.layers);
  for (const auto& slice : parameter_layout(model.config)) {
    float* values = model.parameters.data() + slice.offset;
    if (slice.shape.size() == 1) {
      std::fill_n(values, slice.size, slice.name.ends_with(".weight") ? 1.0f : 0.0f);
      continue;
    }
    // One stream a tensor: its values don't depend on the tensors before it.
    Random random(seed, slice.name);
    double deviation = slice.residual_output ? residual_deviation : kInitialDeviation;
    for (std::int64_t i = 0; i < slice.size; ++i) values[i] = static_cast<float>(deviation * random.normal());
  }
  return model;
}

Model shortened(Model model, int context) {
  ModelConfig config = model.config;
  config.context = context;
  Model result{config, {}};
  if (parameter_count(config) == parameter_count(model.config)) {
    result.parameters = std::move(model.parameters);
    return result;
  }
  result.parameters = Buffer(static_cast<std::size_t>(parameter_count(config)));
  const auto kept = parameter_layout(config), all = parameter_layout(model.config);
  for (std::size_t i = 0; i < kept.size(); ++i) {  // positions are the rows of their tensor
    std::copy_n(model.parameters.data() + all[i].offset, kept[i].size, result.parameters.data() + kept[i].offset);
  }
  return result;
}

}  // namespace btm
