#include "btm/model/rope_scaling.h"

#include <numbers>

namespace btm {
namespace {

// As _compute_llama3_parameters in transformers' modeling_rope_utils.py, rounded to float where it rounds.
float llama3_frequency(float frequency, const RopeScaling& s) {
  const double context = s.original_max_position_embeddings;
  const float length = static_cast<float>(2 * std::numbers::pi) / frequency;  // positions of a whole turn
  const auto factor = static_cast<float>(s.factor);
  if (length > static_cast<float>(context / s.low_freq_factor)) return frequency / factor;
  if (length < static_cast<float>(context / s.high_freq_factor)) return frequency;
  const float kept = (static_cast<float>(context) / length - static_cast<float>(s.low_freq_factor)) /
                     static_cast<float>(s.high_freq_factor - s.low_freq_factor);
  return (1 - kept) * frequency / factor + kept * frequency;
}

}  // namespace

float scaled_frequency(float frequency, const RopeScaling& scaling) {
  switch (scaling.rope_type) {
    case RopeType::plain:
      return frequency;
    case RopeType::linear:
      return frequency / static_cast<float>(scaling.factor);
    case RopeType::llama3:
      return llama3_frequency(frequency, scaling);
  }
  return frequency;
}

}  // namespace btm
