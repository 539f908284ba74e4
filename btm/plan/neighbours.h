// Forests that were grown from the same text: what they have made already of equal recipe is taken over, not made
// again.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "btm/data/domain_report.h"
#include "btm/plan/plan.h"

namespace btm {

// Files are shared by hard links where the file system allows: all of them are immutable.
class Neighbours {
 public:
  explicit Neighbours(const std::vector<std::filesystem::path>& forests);

  // A published model of that recipe: its folder. Of a DEMix model, that of the set.
  std::optional<std::filesystem::path> find_model(const std::string& recipe_sha256) const;

  // A tokenizer whose recipe has that text, into `target`; false if no forest has one.
  bool take_tokenizer(const std::string& recipe, const std::filesystem::path& target) const;

  // The tokens of the domain's text by that tokenizer, into `target`; false if no forest has them.
  bool take_tokens(const std::string& domain, const TextSettings& text, const std::string& tokenizer_sha256,
                   const std::filesystem::path& target) const;

  // results/scores of each.
  std::vector<std::filesystem::path> score_folders() const;

 private:
  std::vector<std::filesystem::path> forests_;
  std::map<std::string, std::filesystem::path> models_;  // by recipe
};

// Makes RUN look as if the model of that folder had been trained in it: RUN/model and RUN/metrics.jsonl.
void adopt_model(const std::filesystem::path& model, const std::filesystem::path& run);

}  // namespace btm
