// The product of experts (Hinton 2002): p(x) proportional to the experts' geometric mean. A reference beside mixtures.
#pragma once

#include <span>
#include <vector>

#include "btm/mixture/member.h"
#include "btm/mixture/score_store.h"

namespace btm {

// Log-probabilities of the text's targets [targets], the context restarting after each window. The normalisation needs
// every expert's whole distribution, so the text goes through in pieces whose sums of log-probabilities fill some 256
// MB, or more where that is less than a window for each thread, whose logits take as much again; with one expert after
// the other in memory for each. Throws Error(input): vocabularies that differ.
std::vector<float> product_log_probs(std::span<const Member> members, const Text& text, int window,
                                     const ScoringPlace& place);

}  // namespace btm
