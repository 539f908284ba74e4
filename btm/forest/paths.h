// The paths of a forest (docs/formats.md); btm/plan/verify, which checks them, spells them again.
#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "btm/core/folders.h"

namespace btm {

inline constexpr char kSeedName[] = "seed";  // the first ancestor, as a parent; no expert may be called so
inline constexpr char kTokenizerRecipe[] = "recipe.json";  // beside a tokenizer: what it was made from

struct ForestPaths {
  std::filesystem::path root;

  std::filesystem::path plan() const { return root / "forest.yaml"; }
  std::filesystem::path log() const { return root / "log.jsonl"; }
  std::filesystem::path lock() const { return root / "lock"; }
  std::filesystem::path tokenizer() const { return root / "tokenizer"; }
  std::filesystem::path tokens() const { return root / "tokens"; }
  std::filesystem::path tokens(const std::string& domain) const { return tokens() / domain; }
  std::filesystem::path seed() const { return root / "seed"; }
  std::filesystem::path expert(const std::string& name) const { return root / "experts" / name; }
  std::filesystem::path experts() const { return root / "experts"; }
  std::filesystem::path comparison(const std::string& name) const { return comparisons() / name; }
  std::filesystem::path comparisons() const { return root / "comparisons"; }
  std::filesystem::path runs() const { return root / "runs"; }
  std::filesystem::path run(const std::string& name) const { return root / "runs" / name; }
  std::filesystem::path branch(const std::string& name) const { return RunPaths{run(name)}.init(); }
  std::filesystem::path tensorboard() const { return root / "tensorboard"; }
  std::filesystem::path tensorboard(const std::string& name) const { return tensorboard() / name; }
  std::filesystem::path results() const { return root / "results"; }
  std::filesystem::path evaluation() const { return results() / "evaluation.json"; }
  std::filesystem::path evaluation_text() const { return results() / "evaluation.md"; }
  std::filesystem::path scores() const { return results() / "scores"; }
  std::filesystem::path summary() const { return results() / "forest.json"; }

  // The folders that a forest keeps for itself; what else is in its root is its owner's.
  std::array<std::filesystem::path, 8> own_folders() const {
    return {tokenizer(), tokens(), seed(), experts(), comparisons(), runs(), tensorboard(), results()};
  }
};

}  // namespace btm
