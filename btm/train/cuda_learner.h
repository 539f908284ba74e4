// A model in training on a GPU. Without CUDA cuda_learner_none.cpp is linked.
#pragma once

#include <memory>

#include "btm/train/learner.h"

namespace btm {

// Throws Error(input): no GPU, no memory for it, a shape that its kernels don't do.
std::unique_ptr<Learner> make_cuda_learner(Model& model, const TrainingSettings& settings, int sequences,
                                           std::int64_t updates, const DemixLayout* demix);

}  // namespace btm
