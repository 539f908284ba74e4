// How rotary frequencies are scaled for contexts beyond those of the first training, by the keys that config.json has
// for it ("rope_parameters" of transformers 5, "rope_scaling" of 4).
#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace btm {

enum class RopeType {
  plain,
  linear,  // all of them divided by `factor` (Chen et al. 2023, arXiv 2306.15595)
  llama3,  // the slow ones alone, the fast ones not, those between by degrees (Llama 3.1)
};
inline std::array<std::pair<RopeType, std::string_view>, 3> names(RopeType) {
  return {{{RopeType::plain, "default"}, {RopeType::linear, "linear"}, {RopeType::llama3, "llama3"}}};
}

struct RopeScaling {
  RopeType rope_type = RopeType::plain;
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;
  int original_max_position_embeddings = 8192;
};

template <class F>
void visit(RopeScaling& s, F&& f) {
  f("rope_type", s.rope_type, "default: none; linear; llama3");
  f("factor", s.factor, "what frequencies are divided by");
  f("low_freq_factor", s.low_freq_factor, "llama3: divided whole below that many turns in the original context");
  f("high_freq_factor", s.high_freq_factor, "llama3: not divided above that many");
  f("original_max_position_embeddings", s.original_max_position_embeddings, "llama3: the original context");
}

// Of a plain frequency (radians a position).
float scaled_frequency(float frequency, const RopeScaling& scaling);

}  // namespace btm
