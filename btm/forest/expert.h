// What a model folder of a forest says of itself: expert.json.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/core/settings.h"

namespace btm {

struct Parent {
  std::string name;    // "seed" or an expert
  double weight = 0;
  std::string sha256;  // of its weights
};
template <class F>
void visit(Parent& s, F&& f) {
  f("name", s.name, "seed or an expert");
  f("weight", s.weight, "share in the initial weights");
  f("sha256", s.sha256, "of its weights");
}

struct ExpertInfo {
  std::string name;
  std::string kind;  // seed, expert, dense
  std::vector<std::string> domains;
  int cycle = 0;     // 0: the seed; experts from 1
  std::vector<Parent> parents;
  std::string weights_sha256;
  std::string tokenizer_sha256;
  std::string recipe_sha256;  // of `recipe` as JSON text
  Json recipe;                // all that the weights depend on: parents, data, model, training, tokens
  std::int64_t tokens = 0, updates = 0;
  double flops = 0, device_seconds = 0, dev_loss = 0;
  std::string tool_version;
};

ExpertInfo load_expert(const std::filesystem::path& folder);  // FOLDER/expert.json; throws Error(input)
void save_expert(const std::filesystem::path& folder, const ExpertInfo& info);

}  // namespace btm
