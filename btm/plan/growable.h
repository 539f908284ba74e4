// Whether a plan can be grown, on the forest that was grown so far: it goes on only from what it would have grown
// itself.
#pragma once

#include "btm/forest/forest.h"
#include "btm/plan/jobs.h"
#include "btm/plan/plan.h"

namespace btm {

// Throws Error(input) if an expert to be trained has nobody to be branched from: branch.weights names one that neither
// the plan nor the forest has, or all experts of cycles before are removed. Needs nothing but the forest's log and
// experts, so that it is reported before any text is read. `forest`: the plan's, or what would be left of it.
void check_parents(const Plan& plan, const Forest& forest);

// Throws Error(input) where growing the plan would refuse to begin, whatever text there is: the folder is something
// else's, an expert would have no parents, the tokenizer was made otherwise, or the checkpoint or tokenizer that the
// plan begins with can't be used.
void check_growable(const Plan& plan);

// Throws Error(input) naming the first of the forest's models that the plan can't go on from: seed or an expert with
// another recipe, a baseline that stays as it is with another recipe, or an expert of a domain that the plan doesn't
// name, which its baselines would have to train on.
void check_published(const Plan& plan, const ForestBase& base);
void check_published(const Plan& plan);  // as far as it can be told from the tokens that are there

// Throws Error(input) where a domain's text is not there.
void require_texts(const Plan& plan);

}  // namespace btm
