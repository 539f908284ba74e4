#include "btm/model/kernels/packed_gemm.h"

#include "btm/core/error.h"
#include "btm/model/kernels/gemm_kernel.h"

namespace btm {
namespace {

const GemmKernel& packing_kernel(Operands operands) {
  const GemmKernel* kernel = fastest_kernel(operands);
  if (!kernel) throw failure("this CPU's products pack no matrices");
  return *kernel;
}

}  // namespace

bool packs(Operands operands) {
  return fastest_kernel(operands) != nullptr;
}

std::size_t packed_floats(int k, int n, Operands operands) {
  return packing_kernel(operands).packed_floats(k, n);
}

void pack(int k, int n, MatrixView b, float* packed, Operands operands, const Share& share) {
  packing_kernel(operands).pack(k, n, b, packed, share);
}

void gemm_packed(int m, int n, int k, float alpha, MatrixView a, PackedView b, float* c, int c_stride,
                 Operands operands) {
  packing_kernel(operands).gemm_packed(m, n, k, alpha, a, b, c, c_stride);
}

}  // namespace btm
