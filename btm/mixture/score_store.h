// Scores on disk by what they are a function of, so that nothing is scored twice.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "btm/core/seal.h"
#include "btm/core/token.h"
#include "btm/mixture/member.h"
#include "btm/train/text_scorer.h"

namespace btm {

// A sample of a domain's text.
struct Text {
  std::string name;  // for messages
  std::vector<TokenId> tokens;
  std::string sha256;  // of the tokens

  std::int64_t targets() const { return tokens.empty() ? 0 : static_cast<std::int64_t>(tokens.size()) - 1; }
};

Text make_text(std::string name, std::vector<TokenId> tokens);

// Whether a file of scores is, to the byte, what was written; none: but for its first line, which has no hash in files
// of older versions.
Seal check_scores(std::string_view bytes);

struct StoredScores {
  std::vector<float> log_probs;  // [targets]
  double seconds = 0;            // that scoring took
};

// FOLDER/KEY.scores: a JSON line, then the float32 log-probabilities. The key is over weights, tokens, window and what
// rounds: a GPU's scores and those of bf16 are other numbers, so that no table mixes them with float32's. A file that
// is damaged counts as not there. Where the folder is someone else's or on a read-only disk, nothing is kept. Scores
// that one of the folders `elsewhere` has are taken over from there.
class ScoreStore {
 public:
  ScoreStore(std::filesystem::path folder, int window, const ScoringPlace& place,
             std::vector<std::filesystem::path> elsewhere = {});

  int window() const { return window_; }
  bool writable() const { return writable_; }
  bool has(const Member& member, const Text& text) const;
  std::optional<StoredScores> find(const Member& member, const Text& text) const;
  std::unique_ptr<TextScorer> scorer(const Member& member, const Model& model) const;  // of the loaded member
  // Scores the text and keeps the result.
  StoredScores score(const Member& member, TextScorer& scorer, const Text& text) const;
  // Keeps scores that were computed otherwise.
  void keep(const Member& member, const Text& text, const StoredScores& scores) const;
  StoredScores read(const Member& member, const Text& text) const;  // throws Error(failed) if it is not there

 private:
  std::string file_name(const Member& member, const Text& text) const;
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> elsewhere_;
  int window_;
  ScoringPlace place_;  // decided
  bool writable_;
};

}  // namespace btm
