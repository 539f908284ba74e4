// The domains of an evaluation, and what it looks at of each: a dev sample, which sets weights, and a test text, which
// is scored.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "btm/data/tokenizer.h"
#include "btm/forest/forest.h"
#include "btm/mixture/evaluate_settings.h"
#include "btm/mixture/score_store.h"

namespace btm {

struct EvaluationDomain {
  std::string name;
  std::string role;  // train or novel
};

// Text that is not in the plan; scored as a novel domain.
struct EvaluationText {
  std::string name;
  std::string path;  // file, folder or glob; the forest's own files are not of it
};

// Domains with tokens in the forest: those that some expert was trained on are train, all others novel. Imported
// experts were trained on text of another forest, whatever it is called there.
std::vector<EvaluationDomain> evaluation_domains(const Forest& forest);

struct DomainTexts {
  std::string name;
  std::string role;
  Text dev, test;
  std::int64_t test_bytes = 0;  // that the targets of `test` stand for
};

// Domains out of tokens/DOMAIN. Other texts: their own dev and test documents where both have kLeastWindows windows,
// else the text laid end to end, its first part (a quarter, at most the dev sample) as dev. Throws Error(input) for a
// text of fewer than two test tokens and for a name used twice.
inline constexpr int kLeastWindows = 10;
std::vector<DomainTexts> load_texts(const ForestPaths& paths, const Tokenizer& tokenizer,
                                    const EvaluateSettings& settings, const std::vector<EvaluationDomain>& domains,
                                    const std::vector<EvaluationText>& texts, int window, int threads);

}  // namespace btm
