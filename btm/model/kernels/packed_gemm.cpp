#include "btm/model/kernels/packed_gemm.h"

#include "btm/model/kernels/gemm_kernel.h"

namespace btm {

std::size_t packed_floats(int k, int n, Operands operands) {
  return fastest_kernel(operands).packed_floats(k, n);
}

void pack(int k, int n, MatrixView b, float* packed, Operands operands, const Share& share) {
  fastest_kernel(operands).pack(k, n, b, packed, share);
}

void gemm_packed(int m, int n, int k, float alpha, MatrixView a, PackedView b, float* c, int c_stride,
                 Operands operands) {
  fastest_kernel(operands).gemm_packed(m, n, k, alpha, a, b, c, c_stride);
}

}  // namespace btm
