// A model in training on a GPU. Without CUDA cuda_none.cpp is linked.
#pragma once

#include <cstddef>
#include <memory>

#include "btm/train/learner.h"

namespace btm {

// Of a GPU's memory, beside what CUDA takes for itself, for a rank that trains a model on its part of batches of
// `sequences`, which are of so many domains that see models of their own (1: a plain model; those parameters that DEMix
// has beside one are not counted). 0 without CUDA.
std::size_t cuda_learner_bytes(const ModelConfig& config, const TrainingSettings& settings, int sequences, int ranks,
                               int domains);
constexpr std::size_t kCudaBytesPerParameter = 18;  // float32 weights, gradients, two moments; bf16 weights

// With several ranks each takes its part of the batch on a GPU of its own, which becomes the thread's current one.
// Throws Error(input): no GPU, no memory for it, a shape that its kernels don't do, no NCCL for several ranks.
std::unique_ptr<Learner> make_cuda_learner(Model& model, const TrainingSettings& settings, int sequences,
                                           std::int64_t updates, const Ranks& ranks, const DemixLayout* demix);

}  // namespace btm
