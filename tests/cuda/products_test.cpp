// Matrix products on the GPU against the CPU's, of sizes that are timed to choose their algorithm and of those that
// aren't.
#include "btm/model/cuda/products.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "btm/model/cuda/lt_products.h"
#include "btm/model/linear.h"
#include "tests/cuda/on_device.h"

namespace btm {
namespace {

using test::as_bf16;
using test::as_floats;
using test::cut;
using test::expect_alike;
using test::Floats;
using test::OnDevice;
using test::random_floats;

struct ProductCase {
  int rows, in, out, stride;  // of rows of `out` numbers
};

std::vector<ProductCase> product_cases() {
  std::vector<ProductCase> all = {{3, 8, 16, 24}, {130, 72, 40, 40}};
  if (test::emulated()) return all;
  all.push_back({2048, 512, 1032, 1040});
  all.push_back({1000, 1536, 512, 512});
  for (std::size_t i = 2; i < all.size(); ++i) EXPECT_TRUE(cuda::is_timed(all[i].rows, all[i].in, all[i].out));
  return all;
}

struct ProductResults {
  Floats y, dx, dw;
};

// The weight [in, out], or transposed, and behind it the bias.
ProductResults on_cpu(const ProductCase& c, const LinearOffsets& l, const Floats& weights, const Floats& x,
                      const Floats& dy) {
  ProductResults r{Floats(dy.size()), Floats(x.size()), Floats(weights.size(), 1)};
  linear_forward(l, {weights.data(), nullptr, Operands::fp32}, c.rows, x.data(), r.y.data());
  for (std::size_t i = 0; i < r.y.size(); ++i) {
    r.y[i] += weights[static_cast<std::size_t>(l.bias) + i % static_cast<std::size_t>(c.out)];
  }
  linear_backward_input(l, {weights.data(), nullptr, Operands::fp32}, c.rows, dy.data(), r.dx.data());
  linear_backward_weight(l, Operands::fp32, c.rows, x.data(), dy.data(), r.dw.data());
  return r;
}

// Rows of `width` numbers, `stride` apart, and those without what is between them.
Floats spread(const Floats& rows, int width, int stride) {
  Floats result(rows.size() / static_cast<std::size_t>(width) * static_cast<std::size_t>(stride), 7);
  for (std::size_t from = 0, to = 0; from < rows.size(); from += width, to += stride) {
    std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(from), width,
                result.begin() + static_cast<std::ptrdiff_t>(to));
  }
  return result;
}
Floats gathered(const Floats& spread, int width, int stride) {
  Floats result;
  for (auto row = spread.begin(); row < spread.end(); row += stride) result.insert(result.end(), row, row + width);
  return result;
}

// By products of its own, which choose anew.
ProductResults on_gpu(const ProductCase& c, const LinearOffsets& l, const Floats& weights, const Floats& x,
                      const Floats& dy) {
  const std::unique_ptr<cuda::Products> products = cuda::make_products();
  const OnDevice<bf16> g_weights(as_bf16(weights)), g_x(as_bf16(x)), g_dy(as_bf16(spread(dy, c.out, c.stride))),
      g_y(static_cast<std::size_t>(c.rows) * c.stride), g_dx(x.size());
  const OnDevice<float> g_dw(Floats(weights.size(), 1));
  products->linear_forward(l, g_weights.data(), c.rows, g_x.data(), g_y.data(), c.stride);
  products->linear_backward_input(l, g_weights.data(), c.rows, g_dy.data(), c.stride, g_dx.data());
  products->linear_backward_weight(l, c.rows, g_x.data(), g_dy.data(), c.stride, g_dw.data());
  cuda::check_cuda(cudaStreamSynchronize(products->stream()), "its work");
  return {gathered(as_floats(g_y.read()), c.out, c.stride), as_floats(g_dx.read()), g_dw.read()};
}

TEST(CudaProducts, AreTheCpusAndHaveTheSameBytesWhicheverAlgorithmIsChosen) {
  for (const ProductCase& c : product_cases()) {
    for (const Op op : {Op::none, Op::transposed}) {
      SCOPED_TRACE(testing::Message() << c.rows << " x " << c.in << " x " << c.out);
      const std::size_t size = static_cast<std::size_t>(c.in) * static_cast<std::size_t>(c.out);
      const LinearOffsets l{.weight = 0, .bias = static_cast<std::int64_t>(size), .in = c.in, .out = c.out, .op = op};
      const Floats weights = cut(random_floats(size + static_cast<std::size_t>(c.out), 1, 1));
      const Floats x = cut(random_floats(static_cast<std::size_t>(c.rows) * c.in, 1, 2));
      const Floats dy = cut(random_floats(static_cast<std::size_t>(c.rows) * c.out, 1, 3));
      const ProductResults expected = on_cpu(c, l, weights, x, dy), found = on_gpu(c, l, weights, x, dy);
      const double rounded = 1.0 / 256;  // to 8 bits
      expect_alike(found.y, expected.y, rounded, "y");
      expect_alike(found.dx, expected.dx, rounded, "dx");
      expect_alike(found.dw, expected.dw, 1e-4, "dw");
      const ProductResults again = on_gpu(c, l, weights, x, dy);
      EXPECT_EQ(again.y, found.y);
      EXPECT_EQ(again.dx, found.dx);
      EXPECT_EQ(again.dw, found.dw);
    }
  }
}

}  // namespace
}  // namespace btm
