// What a model must be to become an expert of a forest: trained here (merge.cpp) or brought here (import.cpp).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "btm/forest/forest.h"
#include "btm/model/config.h"

namespace btm {

// Whether it can name a folder, and a line of a table: no separators, no blanks, not hidden, not too long.
bool is_plain_name(const std::string& name);

void check_expert_name(const std::string& name);  // throws Error(input); seed is not for experts

// The model whose tokenizer and shape all experts of the forest share.
struct ModelToMatch {
  ExpertInfo info;
  std::filesystem::path folder;
};
std::optional<ModelToMatch> model_to_match(const Forest& forest);  // the seed, else the first expert, if there is one

// Throw Error(input), naming the first difference.
void check_tokenizer(const ExpertInfo& info, const ExpertInfo& other);
void check_shape(const std::string& name, const ModelConfig& config, const ModelToMatch& other);

}  // namespace btm
