// The two memory-bound passes of an update, vectorised for the machine at run time.
#pragma once

#include <cstddef>
#include <span>

namespace btm {

// Scalars of one AdamW update (Loshchilov & Hutter 2019, arXiv 1711.05101), as in torch.optim.AdamW.
struct AdamwScalars {
  float gradient_scale = 1;  // clipping
  float decay = 1;           // 1 - learning_rate * weight_decay, or 1 where there is no decay
  float beta1_rest = 0;      // 1 - beta1
  float beta2 = 0;
  float beta2_rest = 0;    // 1 - beta2
  float step = 0;          // learning_rate / (1 - beta1^t)
  float inverse_root = 1;  // 1 / sqrt(1 - beta2^t)
  float epsilon = 0;
};

constexpr double kClipEpsilon = 1e-6;  // of torch.nn.utils.clip_grad_norm_

// Parameters of one slice, or a part of it, that are updated together.
struct AdamwBlock {
  std::size_t begin, size;
  bool decay;
};

// sums[0][i] += sums[1][i] + ... in that order for i in [begin, begin + size), and zeroes there in all but the first.
// Returns the sum of the squares of the result, accumulated in double.
double reduce_gradients(std::span<float* const> sums, std::size_t begin, std::size_t size);

// One pass over the parameters p, their moments m and v and their gradients g; g is zero afterwards.
void adamw_update(const AdamwScalars& scalars, float* p, float* m, float* v, float* g, std::size_t size);

}  // namespace btm
