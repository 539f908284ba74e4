#include "btm/forest/admission.h"

#include <algorithm>

#include "btm/core/half_written.h"
#include "btm/forest/published_comparisons.h"
#include "btm/model/checkpoint.h"

namespace btm {

bool is_plain_name(const std::string& name) {
  constexpr std::size_t kLongest = 200;  // bytes: file systems end at 255, and a temporary ending is added
  return !name.empty() && name.size() <= kLongest && name.front() != '.' && !is_half_written(name) &&
         std::ranges::none_of(name, [](unsigned char c) { return c <= ' ' || c == '/' || c == 0x7f; });
}

void check_expert_name(const std::string& name) {
  if (is_name_of_comparison(name))
    throw input_error("'{}' is what a baseline is called; give the expert another name", name);
  if (is_plain_name(name) && name != kSeedName) return;
  throw input_error("'{}' can't be the name of an expert; use letters, digits, '-' and '_', and not 'seed'", name);
}

std::optional<ModelToMatch> model_to_match(const Forest& forest) {
  if (forest.seed) return ModelToMatch{*forest.seed, forest.paths.seed()};
  if (forest.experts.empty()) return std::nullopt;
  return ModelToMatch{forest.experts.front(), forest.paths.expert(forest.experts.front().name)};
}

void check_tokenizer(const ExpertInfo& info, const ExpertInfo& other) {
  if (info.tokenizer_sha256 == other.tokenizer_sha256) return;
  throw input_error(
      "{}: its tokenizer is not the forest's (SHA-256 {}, but {} in '{}'); all experts of a forest share "
      "one tokenizer: train it with the forest's",
      info.name, info.tokenizer_sha256, other.tokenizer_sha256, other.name);
}

void check_shape(const std::string& name, const ModelConfig& config, const ModelToMatch& other) {
  std::string difference = recipe_difference(settings_json(load_config(other.folder)), settings_json(config));
  if (difference.empty()) return;
  throw input_error(
      "{}: its shape is not the forest's: compared with '{}', {}; all experts of a forest share one shape", name,
      other.info.name, difference);
}

}  // namespace btm
