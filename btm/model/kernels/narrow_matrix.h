// Matrices in a narrow number format, for products of few rows, whose time is that of reading the matrix.
#pragma once

#include <cstddef>
#include <string_view>

#include "btm/model/kernels/gemm.h"

namespace btm {

// int8: whole numbers with a float32 scale for every 64 inputs of an output (as llama.cpp's Q8_0 has for every 32).
enum class NarrowFormat { bf16, int8 };

class NarrowMatrix {
 public:
  // Of w [in, out], which need not be kept; each number is rounded to nearest. `memory`: bytes() of zeros, aligned for
  // vectors, which someone else owns.
  NarrowMatrix(NarrowFormat format, int in, int out, MatrixView w, float* memory);

  // y [rows, out] = x [rows, in] w, in float32. Works on the calling thread.
  void multiply(int rows, const float* x, float* y) const;

  static std::size_t bytes(NarrowFormat format, int in, int out);

 private:
  NarrowFormat format_;
  int in_, out_;
  // Of 32 outputs, one after the other: for int8 [in / 64][32 scales, 64 x 32 numbers], else [in, 32].
  const char* panels_;
};

}  // namespace btm
