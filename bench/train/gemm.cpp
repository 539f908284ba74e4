// The products of a training step of several widths, by the BLAS and by our own kernels in turn, in one thread: GFLOP/s
// of the best of several, by CPU time.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "btm/core/buffer.h"
#include "btm/core/cpu_clock.h"
#include "btm/core/random.h"
#include "btm/model/kernels/bf16_gemm.h"
#include "btm/model/kernels/blocked_gemm.h"

namespace {

using btm::MatrixView;
using btm::Op;

constexpr int kRounds = 12;

struct Shape {
  const char* name;
  int m, n, k;
  Op a, b;
};

std::vector<Shape> shapes_of(int width, int vocab) {
  constexpr int kRows = 1024, kHeadRows = 256;
  return {{"up", kRows, 4 * width, width, Op::none, Op::none},
          {"down", kRows, width, 4 * width, Op::none, Op::none},
          {"up, input gradient", kRows, width, 4 * width, Op::none, Op::transposed},
          {"up, weight gradient", width, 4 * width, kRows, Op::transposed, Op::none},
          {"head", kHeadRows, vocab, width, Op::none, Op::transposed},
          {"head, input gradient", kHeadRows, width, vocab, Op::none, Op::none},
          {"head, weight gradient", vocab, width, kHeadRows, Op::transposed, Op::none}};
}

btm::Buffer random_floats(int rows, int columns) {
  btm::Random random(1);
  btm::Buffer values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  for (float& value : values.span()) value = static_cast<float>(random.normal());
  return values;
}

void compare(const Shape& s) {
  btm::Buffer a = random_floats(s.m, s.k), b = random_floats(s.k, s.n), c = random_floats(s.m, s.n);
  const MatrixView av{a.data(), s.a == Op::none ? s.k : s.m, s.a}, bv{b.data(), s.b == Op::none ? s.n : s.k, s.b};
  double blas = std::numeric_limits<double>::infinity(), own = blas, bf16 = blas;
  auto time = [](double& best, auto&& product) {
    const double start = btm::thread_cpu_seconds();
    product();
    best = std::min(best, btm::thread_cpu_seconds() - start);
  };
  for (int round = 0; round < kRounds; ++round) {
    time(blas, [&] { btm::blas_gemm(s.m, s.n, s.k, 1, av, bv, 0, c.data(), s.n); });
    time(own, [&] { btm::blocked_gemm(s.m, s.n, s.k, 1, av, bv, false, c.data(), s.n); });
    time(bf16, [&] { btm::bf16_gemm(s.m, s.n, s.k, 1, av, bv, false, c.data(), s.n); });
  }
  const double flops = 2.0 * s.m * s.n * s.k / 1e9;
  fmt::print("{:24} {:5} x {:5} x {:5}   BLAS {:6.1f}   own {:6.1f}   {:.2f} x   bf16 {:6.1f}   {:.2f} x\n", s.name,
             s.m, s.n, s.k, flops / blas, flops / own, blas / own, flops / bf16, blas / bf16);
}

}  // namespace

int main() {
  btm::SerialBlas serial;
  for (auto [width, vocab] : {std::pair{96, 2048}, {192, 8192}, {384, 8192}, {768, 8192}}) {
    for (const Shape& shape : shapes_of(width, vocab)) compare(shape);
  }
  fmt::print("training takes {}\n", btm::gemm_library(btm::fastest_operands()));
  return 0;
}
