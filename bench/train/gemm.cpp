// bench_gemm [LIBRARY[:SYMBOL]]...
// The products of a training step of several widths, by our kernels (b also packed before), and by the `sgemm_` (or
// that symbol) of other libraries, in turn, in one thread; then those of generation, by our kernel for few rows in
// place of the others: GFLOP/s of the best of several, by CPU time. Other libraries must be told to take one thread
// (OPENBLAS_NUM_THREADS=1, MKL_NUM_THREADS=1); MKL is in .../site-packages/torch/lib/libtorch_cpu.so.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "btm/core/buffer.h"
#include "btm/core/cpu_clock.h"
#include "btm/core/error.h"
#include "btm/core/random.h"
#include "btm/core/shared_library.h"
#include "btm/model/kernels/few_rows.h"
#include "btm/model/kernels/gemm_kernel.h"

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

// Of so many sequences' next tokens.
std::vector<Shape> few_rows_of(int rows, int width, int vocab) {
  return {{"up, few rows", rows, 4 * width, width, Op::none, Op::none},
          {"down, few rows", rows, width, 4 * width, Op::none, Op::none},
          {"head, few rows", rows, vocab, width, Op::none, Op::transposed}};
}

btm::Buffer random_floats(int rows, int columns) {
  btm::Random random(1);
  btm::Buffer values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  for (float& value : values.span()) value = static_cast<float>(random.normal());
  return values;
}

// c [m, n] = op(a) op(b), to be timed.
using Product = std::function<void()>;

struct Library {
  std::string name;
  std::function<Product(const Shape& s, MatrixView a, MatrixView b, float* c)> product;
};

Library own(std::string name, const btm::GemmKernel& kernel) {
  return {std::move(name), [kernel](const Shape& s, MatrixView a, MatrixView b, float* c) {
            return [=] { kernel.gemm(s.m, s.n, s.k, 1, a, b, false, c, s.n); };
          }};
}

// With b packed before, as the weights are in training.
Library own_packed(std::string name, const btm::GemmKernel& kernel) {
  return {std::move(name), [kernel](const Shape& s, MatrixView a, MatrixView b, float* c) {
            auto packed = std::make_shared<btm::Buffer>(kernel.packed_floats(s.k, s.n));
            kernel.pack(s.k, s.n, b, packed->data(), {});
            return [=] { kernel.gemm_packed(s.m, s.n, s.k, 1, a, {packed->data(), s.k, s.n}, c, s.n); };
          }};
}

// Reference BLAS: column-major, every argument by address.
using Sgemm = void(const char*, const char*, const int*, const int*, const int*, const float*, const float*, const int*,
                   const float*, const int*, const float*, float*, const int*);

Library load(const std::string& argument) {
  const std::size_t colon = argument.find(':');
  const std::string path = argument.substr(0, colon);
  const std::string symbol = colon == std::string::npos ? "sgemm_" : argument.substr(colon + 1);
  Sgemm* sgemm = btm::SharedLibrary({path.c_str()}, "a BLAS").get<Sgemm>(symbol.c_str());
  return {path.substr(path.rfind('/') + 1), [sgemm](const Shape& s, MatrixView a, MatrixView b, float* c) {
            return [=] {
              const char op_a = a.op == Op::none ? 'N' : 'T', op_b = b.op == Op::none ? 'N' : 'T';
              const float one = 1, zero = 0;
              sgemm(&op_b, &op_a, &s.n, &s.m, &s.k, &one, b.data.as<float>(), &b.stride, a.data.as<float>(), &a.stride,
                    &zero, c, &s.n);
            };
          }};
}

Library own_few_rows() {
  return {"btm", [](const Shape& s, MatrixView a, MatrixView b, float* c) {
            return [=] { btm::few_rows_gemm(s.m, s.n, s.k, 1, a, b, false, c, s.n); };
          }};
}

std::vector<Library> own_libraries() {
  std::vector<Library> libraries{own("btm", btm::fp32_kernel())};
  libraries.push_back(own_packed("packed", btm::fp32_kernel()));
  libraries.push_back(own("int16", btm::int16_kernel()));
  libraries.push_back(own_packed("packed", btm::int16_kernel()));
  if (const btm::GemmKernel* fused = btm::fused_int16_kernel()) {
    libraries.push_back(own("fused", *fused));
    libraries.push_back(own_packed("packed", *fused));
  }
  libraries.push_back(own("bf16", btm::fastest_kernel(btm::Operands::bf16)));
  libraries.push_back(own_packed("packed", btm::fastest_kernel(btm::Operands::bf16)));
  return libraries;
}

// GFLOP/s of each, in turn.
std::vector<double> speeds_of(const Shape& s, const std::vector<Library>& libraries) {
  const btm::Buffer a = random_floats(s.m, s.k), b = random_floats(s.k, s.n);
  btm::Buffer c = random_floats(s.m, s.n);
  const MatrixView av{a.data(), s.a == Op::none ? s.k : s.m, s.a}, bv{b.data(), s.b == Op::none ? s.n : s.k, s.b};
  std::vector<Product> products;
  products.reserve(libraries.size());
  for (const Library& library : libraries) products.push_back(library.product(s, av, bv, c.data()));
  std::vector<double> best(libraries.size(), std::numeric_limits<double>::infinity());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < libraries.size(); ++i) {
      const double start = btm::thread_cpu_seconds();
      products[i]();
      best[i] = std::min(best[i], btm::thread_cpu_seconds() - start);
    }
  }
  for (double& x : best) x = 2.0 * s.m * s.n * s.k / 1e9 / x;
  return best;
}

void print_heading(const std::vector<Library>& libraries) {
  fmt::print("{:24} {:>5}   {:>5}   {:>5}", "GFLOP/s", "m", "n", "k");
  for (const Library& library : libraries) fmt::print("   {:>6}", library.name);
  fmt::print("\n");
}

void print_speeds(const std::vector<Shape>& shapes, const std::vector<Library>& libraries) {
  for (const Shape& shape : shapes) {
    fmt::print("{:24} {:5} x {:5} x {:5}", shape.name, shape.m, shape.n, shape.k);
    const std::vector<double> speeds = speeds_of(shape, libraries);
    for (std::size_t i = 0; i < speeds.size(); ++i) {
      fmt::print("   {:{}.1f}", speeds[i], std::max<std::size_t>(6, libraries[i].name.size()));
    }
    fmt::print("\n");
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> paths(argv + 1, argv + argc);
  auto beside_others = [&](std::vector<Library> libraries) {
    for (const std::string& path : paths) libraries.push_back(load(path));
    return libraries;
  };
  std::vector<Library> libraries = beside_others(own_libraries());
  print_heading(libraries);
  for (auto [width, vocab] : {std::pair{96, 2048}, {192, 8192}, {384, 8192}, {768, 8192}}) {
    print_speeds(shapes_of(width, vocab), libraries);
  }
  libraries = beside_others({own_few_rows()});
  print_heading(libraries);
  for (auto [width, vocab] : {std::pair{192, 8192}, {768, 50257}}) {
    for (int rows : {1, 2, 4, 8}) print_speeds(few_rows_of(rows, width, vocab), libraries);
  }
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "bench_gemm: {}\n", e.what());
  return 2;
}
