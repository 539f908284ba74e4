#include "btm/train/adamw.h"

#include <algorithm>
#include <cmath>

#include "btm/core/share.h"
#include "btm/train/adamw_kernels.h"

namespace btm {
namespace {

constexpr std::size_t kBlock = 16384;  // floats; four arrays of them stay in the L2 cache

std::size_t total_size(const std::vector<ParameterSlice>& layout) {
  std::int64_t end = 0;
  for (const auto& slice : layout) end = std::max(end, slice.offset + slice.size);
  return static_cast<std::size_t>(end);
}

}  // namespace

std::vector<AdamwBlock> adamw_blocks(const std::vector<ParameterSlice>& layout, std::size_t most) {
  std::vector<AdamwBlock> blocks;
  for (const ParameterSlice& slice : layout) {
    const auto size = static_cast<std::size_t>(slice.size);
    for (std::size_t at = 0; at < size; at += most) {
      blocks.push_back({static_cast<std::size_t>(slice.offset) + at, std::min(most, size - at), slice.decay});
    }
  }
  return blocks;
}

AdamwScalars adamw_scalars(const TrainingSettings& settings, double learning_rate, std::int64_t update) {
  const auto t = static_cast<double>(update + 1);
  AdamwScalars scalars;
  scalars.decay = static_cast<float>(1 - learning_rate * settings.weight_decay);
  scalars.beta1_rest = static_cast<float>(1 - settings.beta1);
  scalars.beta2 = static_cast<float>(settings.beta2);
  scalars.beta2_rest = static_cast<float>(1 - settings.beta2);
  scalars.step = static_cast<float>(learning_rate / (1 - std::pow(settings.beta1, t)));
  scalars.inverse_root = static_cast<float>(1 / std::sqrt(1 - std::pow(settings.beta2, t)));
  scalars.epsilon = static_cast<float>(settings.epsilon);
  return scalars;
}

AdamW::AdamW(const std::vector<ParameterSlice>& layout, const TrainingSettings& settings, ThreadTeam& team)
    : settings_(settings),
      team_(team),
      blocks_(adamw_blocks(layout, kBlock)),
      mean_(total_size(layout)),
      square_(total_size(layout)) {
  squares_.resize(blocks_.size());
}

std::span<const AdamwBlock> AdamW::share(int thread) const {
  const Share share{thread, team_.size()};
  return std::span(blocks_).subspan(share.begin(blocks_.size()), share.size(blocks_.size()));
}

double AdamW::reduce(std::span<float* const> gradients) {
  team_.run([&](int thread) {
    for (const AdamwBlock& block : share(thread)) {
      squares_[static_cast<std::size_t>(&block - blocks_.data())] =
          reduce_gradients(gradients, block.begin, block.size);
    }
  });
  double sum = 0;
  for (double square : squares_) sum += square;
  return std::sqrt(sum);
}

double AdamW::update(float* parameters, std::span<float* const> gradients, double learning_rate, std::int64_t update) {
  double norm = reduce(gradients);
  if (!std::isfinite(norm)) return norm;

  AdamwScalars decayed = adamw_scalars(settings_, learning_rate, update);
  if (settings_.clip > 0) {
    decayed.gradient_scale = static_cast<float>(std::min(1.0, settings_.clip / (norm + kClipEpsilon)));
  }
  AdamwScalars scalars = decayed;
  scalars.decay = 1;

  team_.run([&](int thread) {
    for (const AdamwBlock& block : share(thread)) {
      adamw_update(block.decay ? decayed : scalars, parameters + block.begin, mean_.data() + block.begin,
                   square_.data() + block.begin, gradients[0] + block.begin, block.size);
    }
  });
  return norm;
}

}  // namespace btm
