// Matrix products by cuBLASLt. Of its algorithms for a product its own choice is up to a fifth slower than the fastest
// one, so large products are timed once; only those that give the bytes of its choice are chosen from, so that the
// result doesn't depend on the clock.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "btm/model/bf16.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/kernels/gemm.h"

namespace btm::cuda {

// Whether it pays for [m, k] x [k, n]: those below take 5 us on Hopper, most of which is their start.
constexpr double kTimedFlops = 1e9;
inline bool is_timed(int m, int n, int k) {
  return 2.0 * m * n * k >= kTimedFlops;
}

// A matrix in rows that are `stride` numbers apart, as it is or transposed.
struct LtMatrix {
  const bf16* data;
  std::int64_t stride;
  Op op;
};

// For one stream. Both functions return false where they did nothing, since there is no cuBLASLt.
class LtProducts {
 public:
  LtProducts(cudaStream_t stream, Scratch scratch);
  ~LtProducts();

  // c [m, n] = a [m, k] b [k, n] + bias [n], which may be null. Rows of c are c_stride numbers apart, the last one,
  // too, and what lies between them may change.
  bool product(int m, int n, int k, LtMatrix a, LtMatrix b, const bf16* bias, bf16* c, std::int64_t c_stride);
  // c [m, n] += a [m, k] b [k, n]
  bool add_product(int m, int n, int k, LtMatrix a, LtMatrix b, float* c);

 private:
  class Algorithms;
  std::unique_ptr<Algorithms> algorithms_;
};

}  // namespace btm::cuda
