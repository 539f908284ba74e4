// What a model folder of a forest says of itself: expert.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "btm/core/settings.h"

namespace btm {

inline constexpr const char* kExpertFile = "expert.json";

struct Parent {
  std::string name;  // "seed" or an expert
  double weight = 0;
  std::string sha256;  // of its weights
};
template <class F>
void visit(Parent& s, F&& f) {
  f("name", s.name, "seed or an expert");
  f("weight", s.weight, "share in the initial weights");
  f("sha256", s.sha256, "of its weights");
}

// A model that an expert of another forest descends from.
struct Ancestor {
  std::string name;
  std::string sha256;  // of its weights
  int cycle = 0;
  std::vector<Parent> parents;
};
template <class F>
void visit(Ancestor& s, F&& f) {
  f("name", s.name, "in its forest");
  f("sha256", s.sha256, "of its weights");
  f("cycle", s.cycle, "0: the seed");
  f("parents", s.parents, "whose weighted mean it started from");
}

// Where an expert that `btm import` brought came from.
struct Origin {
  std::string name;
  std::vector<Ancestor> ancestors;
};
template <class F>
void visit(Origin& s, F&& f) {
  f("name", s.name, "of the expert in its forest");
  f("ancestors", s.ancestors, "all that it descends from, the nearest first");
}

inline constexpr char kExpertKind[] = "expert";  // the kinds of others: kSeedName, the name of a baseline

struct ExpertInfo {
  std::string name;
  std::string kind;  // kSeedName, kExpertKind, or the name of a baseline
  std::vector<std::string> domains;
  int cycle = 0;  // 0: the seed; experts from 1
  std::vector<Parent> parents;
  std::string weights_sha256;
  std::string tokenizer_sha256;
  std::string recipe_sha256;  // of `recipe` as JSON text
  Json recipe;                // all that the weights depend on: parents, data, model, training, tokens
  std::int64_t tokens = 0, updates = 0;
  double flops = 0, device_seconds = 0, dev_loss = 0;
  int threads = 0;             // of the training; 0: not known (written before they were kept)
  std::string precision = {};  // of the training's products, resolved; "": not known, likewise
  std::string device = {};     // that trained it: cpu or cuda; "": likewise
  std::string tool_version;
  std::optional<Origin> imported = {};  // nullopt: trained in this forest
};

// All but `imported`, which is there for few, and `recipe`, which is free JSON and kept verbatim.
template <class F>
void visit(ExpertInfo& s, F&& f) {
  f("name", s.name, "of the expert");
  f("kind", s.kind, "seed, expert, dense, ...");
  f("domains", s.domains, "that it was trained on");
  f("cycle", s.cycle, "0: the seed; experts from 1");
  f("parents", s.parents, "whose weighted mean it started from");
  f("weights_sha256", s.weights_sha256, "identity of its weights");
  f("tokenizer_sha256", s.tokenizer_sha256, "identity of its tokenizer");
  f("recipe_sha256", s.recipe_sha256, "identity of all that the weights depend on");
  f("tokens", s.tokens, "trained on");
  f("updates", s.updates, "of the weights");
  f("flops", s.flops, "of training");
  f("device_seconds", s.device_seconds, "threads x wall seconds of training");
  f("threads", s.threads, "of the training");
  f("precision", s.precision, "of the training's products");
  f("device", s.device, "that trained it");
  f("dev_loss", s.dev_loss, "nats per token at the end");
  f("tool_version", s.tool_version, "of the program that trained it");
}

std::string recipe_sha256(const Json& recipe);  // of recipe.dump()
Json perplexity_of(const ExpertInfo& info);     // of its dev loss; null where it wasn't trained and has none

// "training.clip is 1.0 there and 0.5 here": the first key (in the order of `there`) that differs; "" if the recipes
// are equal.
std::string recipe_difference(const Json& there, const Json& here);

// The whole of expert.json, the recipe last; and the other way round: throws Error(input), which `name` heads, for what
// is no expert.json or a recipe that doesn't have its hash.
Json expert_json(const ExpertInfo& info);
ExpertInfo expert_from_json(Json json, const std::string& name);

// Whether a model was published there.
bool is_published(const std::filesystem::path& folder);

// FOLDER/expert.json. Throws Error(input): missing or broken.
ExpertInfo load_expert(const std::filesystem::path& folder);
void save_expert(const std::filesystem::path& folder, const ExpertInfo& info);

// Reads a struct of settings out of JSON text; `name` heads the messages. Throws Error(input): not JSON, unknown key,
// wrong type.
template <class T>
void read_json_settings(const Json& json, T& settings, const std::string& name) {
  read_settings(parse_yaml(json.dump(), name), settings, name);
}

}  // namespace btm
