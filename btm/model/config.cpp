#include "btm/model/config.h"

#include "btm/model/parameters.h"

namespace btm {
namespace {

constexpr int kHiddenMultiple = 32;  // Llama's feed-forward width is rounded up to it

constexpr int kLargest = 1 << 24;  // of any extent; keeps products of two within 64 bits many times over

void check_range(int value, int smallest, const char* name) {
  if (value < smallest || value > kLargest) {
    throw input_error("model.{} is {}; it must be between {} and {}", name, value, smallest, kLargest);
  }
}

void check_ranges(const ModelConfig& c) {
  check_range(c.layers, 1, "layers");
  check_range(c.width, 1, "width");
  check_range(c.heads, 1, "heads");
  check_range(c.context, 1, "context");
  check_range(c.kv_heads, 0, "kv_heads");
  check_range(c.hidden, 0, "hidden");
  check_range(c.vocab_size, 0, "vocab_size");
  if (!(c.norm_epsilon > 0)) throw input_error("model.norm_epsilon is {}; it must be above 0", c.norm_epsilon);
  if (!(c.rope_theta > 0)) throw input_error("model.rope_theta is {}; it must be above 0", c.rope_theta);
}

void check_scaling(const RopeScaling& s) {
  if (s.rope_type == RopeType::plain && s.factor != 1) {
    throw input_error(
        "model.rope_scaling.factor is {}, but rope_type is default, which scales nothing; say which it is: linear or "
        "llama3",
        s.factor);
  }
  if (!(s.factor >= 1)) throw input_error("model.rope_scaling.factor is {}; it must be at least 1", s.factor);
  if (!(s.low_freq_factor > 0) || !(s.high_freq_factor > s.low_freq_factor)) {
    throw input_error(
        "model.rope_scaling.low_freq_factor is {} and high_freq_factor {}; both must be above 0, and the "
        "second above the first",
        s.low_freq_factor, s.high_freq_factor);
  }
  check_range(s.original_max_position_embeddings, 1, "rope_scaling.original_max_position_embeddings");
}

void check_heads(const ModelConfig& c) {
  if (c.width % c.heads != 0) {
    throw input_error("model.width {} is not a multiple of model.heads {}; change one of them", c.width, c.heads);
  }
  if (c.kv_heads == 0 || c.kv_heads == c.heads) return;
  if (c.architecture == Architecture::gpt2) {
    throw input_error("model.kv_heads {} with {} heads: gpt2 has no grouped-query attention; use llama or kv_heads 0",
                      c.kv_heads, c.heads);
  }
  if (c.heads % c.kv_heads != 0) {
    throw input_error("model.heads {} is not a multiple of model.kv_heads {}", c.heads, c.kv_heads);
  }
}

// Without what its type makes no use of.
RopeScaling without_unused(const RopeScaling& s) {
  RopeScaling used;
  used.rope_type = s.rope_type;
  if (s.rope_type != RopeType::plain) used.factor = s.factor;
  if (s.rope_type == RopeType::llama3) used = s;
  return used;
}

}  // namespace

ModelConfig resolve(ModelConfig c) {
  check_ranges(c);
  check_heads(c);
  check_scaling(c.rope_scaling);
  const bool gpt2 = c.architecture == Architecture::gpt2;
  if (!gpt2 && (c.width / c.heads) % 2 != 0) {
    throw input_error("model.width {} over model.heads {} is {} per head; rotary positions need an even number",
                      c.width, c.heads, c.width / c.heads);
  }
  if (c.kv_heads == 0) c.kv_heads = c.heads;
  if (c.hidden == 0) {
    int third = (8 * c.width + 2) / 3;
    c.hidden = gpt2 ? 4 * c.width : (third + kHiddenMultiple - 1) / kHiddenMultiple * kHiddenMultiple;
  }
  if (gpt2) {  // it has no rotary positions, and its config.json no such keys
    c.rope_theta = ModelConfig{}.rope_theta;
    c.rope_scaling = {};
  }
  c.rope_scaling = without_unused(c.rope_scaling);
  if (!c.tied_embeddings) c.tied_embeddings = gpt2;
  return c;
}

Json shape_json(const ModelConfig& config) {
  Json json = settings_json(config);
  if (config.rope_scaling.rope_type == RopeType::plain) json.erase("rope_scaling");
  return json;
}

std::int64_t parameter_count(const ModelConfig& config) {
  std::int64_t count = 0;
  for (const auto& slice : parameter_layout(config)) count += slice.size;
  return count;
}

double forward_flops_per_token(const ModelConfig& config) {
  ModelConfig c = resolve(config);
  double width = c.width, hidden = c.hidden;
  double queries_and_output = 2 * width * width;
  double keys_and_values = 2 * width * (width / c.heads) * c.kv_heads;
  double feed_forward = (c.architecture == Architecture::gpt2 ? 2 : 3) * width * hidden;
  double matmul = c.layers * (queries_and_output + keys_and_values + feed_forward) + width * c.vocab_size;
  return 2 * matmul + 2.0 * c.layers * c.context * width;
}

}  // namespace btm
