// AdamW with clipping of the gradient's global norm, over a model's flat array of parameters.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "btm/core/buffer.h"
#include "btm/core/thread_team.h"
#include "btm/model/parameters.h"
#include "btm/train/adamw_kernels.h"
#include "btm/train/settings.h"

namespace btm {

// The slices in order, cut into blocks of at most `most` parameters.
std::vector<AdamwBlock> adamw_blocks(const std::vector<ParameterSlice>& layout, std::size_t most);

// Of update number `update` (from 0), for parameters that decay, without clipping.
AdamwScalars adamw_scalars(const TrainingSettings& settings, double learning_rate, std::int64_t update);

// As torch.nn.utils.clip_grad_norm_ (factor clip / (norm + 1e-6) where that is below 1; a clip of 0 is none) followed
// by torch.optim.AdamW with two groups of parameters: weight decay where the slice says so, none elsewhere.
class AdamW {
 public:
  // The team outlives the optimiser.
  AdamW(const std::vector<ParameterSlice>& layout, const TrainingSettings& settings, ThreadTeam& team);

  // Update number `update` (from 0) of `parameters` with the sum of `gradients` (one array per thread, summed in their
  // order; the arrays are zero afterwards). Returns the norm of that sum before clipping; if it is not finite the
  // parameters stay as they are. The result does not depend on the number of threads. Allocates nothing.
  double update(float* parameters, std::span<float* const> gradients, double learning_rate, std::int64_t update);

  Buffer& mean() { return mean_; }      // first moment [parameters]
  Buffer& square() { return square_; }  // second moment [parameters]

 private:
  // The blocks of thread t.
  std::span<const AdamwBlock> share(int thread) const;
  double reduce(std::span<float* const> gradients);

  TrainingSettings settings_;
  ThreadTeam& team_;
  std::vector<AdamwBlock> blocks_;
  std::vector<double> squares_;  // [blocks_]
  Buffer mean_, square_;
};

}  // namespace btm
