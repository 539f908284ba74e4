// Where and how the models of a forest score texts.
#pragma once

#include <string>

#include "btm/forest/forest.h"
#include "btm/mixture/domain_sample.h"
#include "btm/plan/plan.h"
#include "btm/train/text_scorer.h"

namespace btm {

// As they are trained: launcher.device and training.precision, on all cores. A coordinator may have no GPU where its
// workers do: then it is the CPU.
ScoringPlace scoring_place(const Plan& plan);

// As its plan says, so that scores that are there are found again; without a plan what is fastest here.
ScoringPlace scoring_place(const Forest& forest, int threads);

// The dev sample of a domain as the forest's plan has it (evaluate.dev_sequences): what the results' rows are made
// from.
DomainSample dev_sample(const Forest& forest, const std::string& domain);

}  // namespace btm
