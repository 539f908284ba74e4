// Matrix products of row-major matrices on the thread that calls, by the fastest of the kernels (gemm_kernel.h,
// few_rows.h) that the CPU has the instructions for.
#pragma once

#include <cstddef>

#include "btm/model/operands.h"

namespace btm {

enum class Op { none, transposed };

// A matrix as it lies in memory: `stride` numbers from row to row.
struct MatrixView {
  OperandView data;
  int stride;
  Op op = Op::none;
};

inline MatrixView transposed(OperandView data, int stride) {
  return {data, stride, Op::transposed};
}

// The transpose of op(x).
inline MatrixView transpose(MatrixView x) {
  x.op = x.op == Op::none ? Op::transposed : Op::none;
  return x;
}

// op(x) from that row and column on.
inline MatrixView part(MatrixView x, int row, int column) {
  const bool plain = x.op == Op::none;
  return {x.data.from(std::size_t(plain ? row : column) * x.stride + (plain ? column : row)), x.stride, x.op};
}

// Whether gemm() uses the kernel of few rows (few_rows.h), which rounds differently.
bool takes_few_rows(int m, Op a, Operands operands);

// c [m, n] = alpha x op(a) [m, k] op(b) [k, n], plus what c was if `add`, in float32. Operands in bfloat16 are for
// Operands::bf16 alone. Which kernel does it depends on the CPU, the operands and the shape alone.
void gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int c_stride,
          Operands operands = Operands::fp32);

std::size_t gemm_bytes(Operands operands);  // of the buffers that a thread keeps once it has multiplied

// What trains fastest: bf16 where the CPU multiplies it at twice the speed of float32.
Operands fastest_operands();

}  // namespace btm
