// Products with matrices in narrow formats against loops in double precision over the rounded numbers.
#include "btm/model/kernels/narrow_matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "btm/core/buffer.h"
#include "btm/model/dtype.h"
#include "tests/model/kernel_values.h"

namespace btm {
namespace {

using test::Doubles;
using test::expect_near;
using test::Floats;
using test::random_floats;

// Calls check(rows, in, out, x, w [in, out]) for shapes around the kernel's blocks.
template <class Check>
void for_packed_shapes(Check&& check) {
  for (int rows : {1, 2, 7, 8, 9, 17}) {
    for (int in : {1, 63, 64, 65, 200}) {
      for (int out : {1, 31, 32, 33, 100})
        check(rows, in, out, random_floats(rows * in, 1, 1), random_floats(in * out, 1, 2));
    }
  }
}

Floats turned(int in, int out, const Floats& w) {
  Floats result(w.size());
  for (int i = 0; i < in; ++i) {
    for (int j = 0; j < out; ++j) result[j * in + i] = w[i * out + j];
  }
  return result;
}

Floats multiply(NarrowFormat format, int rows, int in, int out, MatrixView w, const Floats& x) {
  Buffer memory(NarrowMatrix::bytes(format, in, out) / sizeof(float));
  Floats y(std::size_t(rows) * out, 7);
  NarrowMatrix(format, in, out, w, memory.data()).multiply(rows, x.data(), y.data());
  return y;
}

void expect_product(NarrowFormat format, int rows, int in, int out, const Floats& x, const Floats& given,
                    const Floats& w) {
  Doubles expected(rows * out);
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < in; ++i) {
      for (int j = 0; j < out; ++j) expected[r * out + j] += double(x[r * in + i]) * w[i * out + j];
    }
  }
  const Floats given_turned = turned(in, out, given);
  for (MatrixView view : {MatrixView{given.data(), out}, transposed(given_turned.data(), in)}) {
    expect_near(multiply(format, rows, in, out, view, x), expected, 2e-5, "product");
  }
}

TEST(NarrowMatrix, MultipliesByRoundedBfloat16) {
  for_packed_shapes([](int rows, int in, int out, const Floats& x, const Floats& w) {
    Floats rounded(w.size());
    std::string bytes(w.size() * 2, '\0');
    from_double(Dtype::bf16, Doubles(w.begin(), w.end()), bytes.data());
    to_float(Dtype::bf16, bytes, rounded);
    expect_product(NarrowFormat::bf16, rows, in, out, x, w, rounded);
  });
}

TEST(NarrowMatrix, RoundsToWholeMultiplesOfTheLargestOf64) {
  for_packed_shapes([](int rows, int in, int out, const Floats& x, const Floats& w) {
    Floats rounded(w.size());
    for (int j = 0; j < out; ++j) {
      for (int begin = 0; begin < in; begin += 64) {
        double largest = 0;
        const int end = std::min(in, begin + 64);
        for (int i = begin; i < end; ++i) largest = std::max(largest, std::abs(double(w[i * out + j])));
        for (int i = begin; i < end; ++i) {
          const double step = largest / 127;
          rounded[i * out + j] = static_cast<float>(std::round(w[i * out + j] / step) * step);
        }
      }
    }
    expect_product(NarrowFormat::int8, rows, in, out, x, w, rounded);
  });
}

TEST(NarrowMatrix, ZerosStayZeros) {
  const Floats w(64 * 40), x = random_floats(64, 1, 1);
  EXPECT_EQ(multiply(NarrowFormat::int8, 1, 64, 40, {w.data(), 40}, x), Floats(40));
}

}  // namespace
}  // namespace btm
