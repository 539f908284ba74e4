// A model in training on a GPU. Without CUDA cuda_none.cpp is linked.
#pragma once

#include <memory>

#include "btm/train/learner.h"

namespace btm {

// With several ranks each takes its part of the batch on a GPU of its own, which becomes the thread's current one.
// Throws Error(input): no GPU, no memory for it, a shape that its kernels don't do, no NCCL for several ranks.
std::unique_ptr<Learner> make_cuda_learner(Model& model, const TrainingSettings& settings, int sequences,
                                           std::int64_t updates, const Ranks& ranks, const DemixLayout* demix);

}  // namespace btm
