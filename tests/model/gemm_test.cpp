#include "btm/model/kernels/gemm.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "btm/core/buffer.h"
#if defined(__x86_64__)
#include "btm/model/kernels/bf16_amx-inl.h"
#endif
#include "btm/model/kernels/few_rows.h"
#include "btm/model/kernels/gemm_kernel.h"
#include "tests/model/kernel_values.h"

namespace btm {
namespace {

using test::random_floats;
using test::Stored;
using test::to_bf16;

struct Case {
  int m, n, k;
  Op a, b;
  bool add;
  float alpha = 1;
};

// What becomes of the numbers of an operand that one number of c is the sum over.
using Rounding = void (*)(std::span<double> numbers);

void leave(std::span<double>) {}

void to_bfloat16(std::span<double> numbers) {
  for (double& x : numbers) x = to_bf16(static_cast<float>(x));
}

// Whole numbers up to 4095 with a scale for every 128.
void to_int16(std::span<double> numbers) {
  for (std::size_t first = 0; first < numbers.size(); first += 128) {
    const auto block = numbers.subspan(first, std::min<std::size_t>(128, numbers.size() - first));
    float largest = 0;
    for (const double x : block) largest = std::max(largest, static_cast<float>(std::abs(x)));
    const float to_whole = largest < 1e-30f ? 0 : 4095 / largest, back = largest * (1.0f / 4095);
    for (double& x : block) x = double(std::nearbyint(x * to_whole)) * double(back);
  }
}

// Compares with the plain formula in double precision; strides are wider than rows, and what lies between stays.
template <class Product>
void expect_product(const Case& x, Rounding round, Product&& product) {
  SCOPED_TRACE(testing::Message() << x.m << " x " << x.n << " x " << x.k << (x.a == Op::none ? " N" : " T")
                                  << (x.b == Op::none ? "N" : "T") << (x.add ? " added" : ""));
  constexpr int kGap = 3;
  const int a_stride = (x.a == Op::none ? x.k : x.m) + kGap, b_stride = (x.b == Op::none ? x.n : x.k) + kGap;
  const int c_stride = x.n + kGap;
  const auto a = random_floats(std::size_t(x.a == Op::none ? x.m : x.k) * a_stride, 1, 1);
  const auto b = random_floats(std::size_t(x.b == Op::none ? x.k : x.n) * b_stride, 1, 2);
  const auto before = random_floats(std::size_t(x.m) * c_stride, 1, 3);
  auto c = before;
  product(MatrixView{a.data(), a_stride, x.a}, MatrixView{b.data(), b_stride, x.b}, c.data(), c_stride);
  // Rows of op(a), or columns of op(b): [count, k].
  auto along = [&](const std::vector<float>& values, int stride, int count, bool in_rows) {
    std::vector<double> result(std::size_t(count) * x.k);
    for (int i = 0; i < count; ++i) {
      const std::span numbers(result.data() + std::size_t(i) * x.k, std::size_t(x.k));
      for (int p = 0; p < x.k; ++p) numbers[p] = values[std::size_t(in_rows ? i : p) * stride + (in_rows ? p : i)];
      round(numbers);
    }
    return result;
  };
  const auto rows = along(a, a_stride, x.m, x.a == Op::none), columns = along(b, b_stride, x.n, x.b != Op::none);
  for (int i = 0; i < x.m; ++i) {
    for (int j = 0; j < x.n; ++j) {
      double sum = 0;
      for (int p = 0; p < x.k; ++p) sum += rows[std::size_t(i) * x.k + p] * columns[std::size_t(j) * x.k + p];
      const std::size_t here = std::size_t(i) * c_stride + j;
      ASSERT_NEAR(c[here], x.alpha * sum + (x.add ? before[here] : 0), 2e-6 * std::sqrt(x.k) * 4 + 1e-6)
          << i << ", " << j;
    }
    for (int j = x.n; j < c_stride; ++j) {
      ASSERT_EQ(c[std::size_t(i) * c_stride + j], before[std::size_t(i) * c_stride + j]) << "behind row " << i;
    }
  }
}

template <class Product>
void expect_products(Product&& product, Rounding round = leave) {
  // Around the sizes of tiles, panels and blocks, with every remainder of rows.
  const int shapes[][3] = {{1, 1, 1},     {1, 40, 30},   {2, 3, 5},     {6, 16, 4},     {8, 48, 7},
                           {7, 49, 3},    {13, 33, 256}, {128, 96, 32}, {193, 50, 40},  {200, 47, 9},
                           {64, 65, 385}, {30, 17, 770}, {12, 1930, 6}, {64, 96, 1030}, {195, 150, 265}};
  for (const auto& [m, n, k] : shapes) {
    for (Op a : {Op::none, Op::transposed}) {
      for (Op b : {Op::none, Op::transposed}) {
        for (bool add : {false, true}) {
          const Case x{m, n, k, a, b, add, add ? 0.5f : 1.0f};
          expect_product(x, round, [&](MatrixView av, MatrixView bv, float* c, int stride) {
            product(m, n, k, x.alpha, av, bv, add, c, stride);
          });
        }
      }
    }
  }
}

TEST(Gemm, IsTheProduct) {
  expect_products([](int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int stride) {
    gemm(m, n, k, alpha, a, b, add ? 1.0f : 0.0f, c, stride);
  });
}

TEST(Gemm, IsTheProductByTheKernelForManyRows) {
  expect_products(fp32_kernel().gemm);
}

// Around the sizes of its tiles, and more columns than it takes at once.
TEST(Gemm, IsTheProductOfFewRows) {
  for (int m = 1; m <= 9; ++m) {
    for (const auto& [n, k] :
         {std::array{1, 1}, {7, 3}, {8, 8}, {33, 16}, {31, 50}, {129, 67}, {2500, 9}, {16500, 2}}) {
      for (Op b : {Op::none, Op::transposed}) {
        for (bool add : {false, true}) {
          const Case x{m, n, k, Op::none, b, add, add ? 0.5f : 1.0f};
          expect_product(x, leave, [&](MatrixView av, MatrixView bv, float* c, int stride) {
            few_rows_gemm(m, n, k, x.alpha, av, bv, add, c, stride);
          });
        }
      }
    }
  }
}

// So that a sequence gets the same next token alone and beside others.
TEST(Gemm, FewRowsAreEachAsIfAlone) {
  constexpr int kMost = 8, n = 301, k = 77;
  const auto a = random_floats(kMost * k, 1, 1), b = random_floats(n * k, 1, 2);
  for (const Op op : {Op::none, Op::transposed}) {
    const MatrixView b_view{b.data(), op == Op::none ? n : k, op};
    std::vector<float> alone(kMost * n);
    for (int r = 0; r < kMost; ++r) {
      few_rows_gemm(1, n, k, 0.5f, {a.data() + r * k, k}, b_view, false, alone.data() + r * n, n);
    }
    for (int m = 2; m <= kMost; ++m) {
      std::vector<float> together(m * n);
      few_rows_gemm(m, n, k, 0.5f, {a.data(), k}, b_view, false, together.data(), n);
      EXPECT_TRUE(std::equal(together.begin(), together.end(), alone.begin())) << m << " rows";
    }
  }
}

TEST(Gemm, IsTheProductOfRoundedOperands) {
  expect_products([](int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c,
                     int stride) { gemm(m, n, k, alpha, a, b, add ? 1.0f : 0.0f, c, stride, Operands::bf16); },
                  to_bfloat16);
}

TEST(Gemm, IsTheProductOfWholeNumbersWithAScale) {
  expect_products([](int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c,
                     int stride) { gemm(m, n, k, alpha, a, b, add ? 1.0f : 0.0f, c, stride, Operands::int16); },
                  to_int16);
}

// c [6, 30] = a [6, 300] b, by int16, of an a and a b that are the same number all over, but for a [2, 150].
std::vector<float> int16_product(float a_number, float b_number, float other, Op op) {
  constexpr int m = 6, n = 30, k = 300;
  std::vector<float> a(m * k, a_number), b(k * n, b_number), c(m * n);
  a[op == Op::none ? 2 * k + 150 : 150 * m + 2] = other;
  int16_kernel().gemm(m, n, k, 1, {a.data(), op == Op::none ? k : m, op}, {b.data(), op == Op::none ? n : k, op}, false,
                      c.data(), n);
  return c;
}

// Sums of whole numbers are exact, whatever instructions make them.
TEST(Gemm, FusedProductsOfWholeNumbersGiveTheSameBytes) {
  if (!fused_int16_kernel()) GTEST_SKIP() << "this CPU has neither AVX512-VNNI nor AVX-VNNI";
  for (const auto& [m, n, k] : {std::array{1, 1, 1}, {6, 49, 300}, {33, 130, 515}, {193, 50, 31}, {40, 96, 1024}}) {
    for (const Op a_op : {Op::none, Op::transposed}) {
      for (const Op b_op : {Op::none, Op::transposed}) {
        const auto a = random_floats(std::size_t(m) * k, 1, 1), b = random_floats(std::size_t(k) * n, 1, 2);
        const MatrixView a_view{a.data(), a_op == Op::none ? k : m, a_op},
            b_view{b.data(), b_op == Op::none ? n : k, b_op};
        std::vector<float> expected(std::size_t(m) * n, 0.5f), found = expected;
        int16_kernel().gemm(m, n, k, 0.5f, a_view, b_view, true, expected.data(), n);
        fused_int16_kernel()->gemm(m, n, k, 0.5f, a_view, b_view, true, found.data(), n);
        EXPECT_EQ(found, expected) << m << " x " << n << " x " << k;
      }
    }
  }
}

// The largest sums that there are don't overflow.
TEST(Gemm, SumsOfTheLargestWholeNumbersAreExact) {
  for (const Op op : {Op::none, Op::transposed}) {
    for (const float sign : {1.0f, -1.0f}) {
      for (const float c : int16_product(3, sign * 5, 3, op)) EXPECT_NEAR(c, sign * 15 * 300, 15 * 300 * 1e-6);
    }
  }
}

TEST(Gemm, WholeNumbersPassOnWhatIsNotFinite) {
  for (const Op op : {Op::none, Op::transposed}) {
    for (const float other : {float(NAN), float(INFINITY)}) {
      const std::vector<float> c = int16_product(1, 1, other, op);
      for (int i = 0; i < int(c.size()); ++i) EXPECT_EQ(std::isfinite(c[i]), i / 30 != 2);
    }
  }
}

TEST(Gemm, WholeNumbersOfTheLeastAreZero) {
  for (const float c : int16_product(1e-40f, 1, 1e-40f, Op::none)) EXPECT_EQ(c, 0);
}

#if defined(__x86_64__)
// What Intel's manual says of the instructions, so that CPUs without AMX test all around them.
struct TilesInMemory {
  using Registers = std::array<std::array<float, 256>, 8>;
  static Registers& registers() {
    thread_local Registers tiles;
    return tiles;
  }
  template <int i>
  static void zero() {
    registers()[i].fill(0);
  }
  template <int i>
  static void load(const float* memory, std::size_t stride) {
    for (int r = 0; r < 16; ++r) std::copy_n(memory + r * stride, 16, registers()[i].begin() + r * 16);
  }
  template <int i>
  static void store(float* memory, std::size_t stride) {
    for (int r = 0; r < 16; ++r) std::copy_n(registers()[i].begin() + r * 16, 16, memory + r * stride);
  }
  template <int c, int a, int b>
  static void add_product() {
    auto bits = [](int tile, int row, int pair) {
      return std::bit_cast<std::uint32_t>(registers()[tile][row * 16 + pair]);
    };
    auto low = [](std::uint32_t pair) { return std::bit_cast<float>(pair << 16); };
    auto high = [](std::uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000); };
    for (int m = 0; m < 16; ++m) {
      for (int n = 0; n < 16; ++n) {
        float& sum = registers()[c][m * 16 + n];
        for (int p = 0; p < 16; ++p) {
          const std::uint32_t x = bits(a, m, p), w = bits(b, p, n);
          sum += low(x) * low(w);
          sum += high(x) * high(w);
        }
      }
    }
  }
  struct Session {
    Session() {
      for (auto& tile : registers()) tile.fill(NAN);
    }
  };
};
#endif

// Of bfloat16, by the kinds of instructions that are there, and by tiles in memory, which AVX512-BF16 packs.
std::vector<GemmKernel> bf16_kernels() {
  std::vector<GemmKernel> there{rounded_fp32_kernel()};
  for (const GemmKernel* kernel : {avx512_bf16_kernel(), amx_bf16_kernel()}) {
    if (kernel) there.push_back(*kernel);
  }
#if defined(__x86_64__)
  if (avx512_bf16_kernel()) there.push_back(BlockedProducts<AmxTiling<TilesInMemory>>::kernel());
#endif
  return there;
}

TEST(Gemm, IsTheProductByEachKindOfInstructions) {
  for (const GemmKernel& kernel : bf16_kernels()) expect_products(kernel.gemm, to_bfloat16);
}

// They are only rounded earlier.
TEST(Gemm, OperandsInBfloat16GiveTheSameBytes) {
  std::vector<decltype(GemmKernel::gemm)> gemms{
      [](int m, int n, int k, float alpha, MatrixView a, MatrixView b, bool add, float* c, int stride) {
        gemm(m, n, k, alpha, a, b, add, c, stride, Operands::bf16);
      }};
  for (const GemmKernel& kernel : bf16_kernels()) gemms.push_back(kernel.gemm);
  for (const auto& [m, n, k] : {std::array{1, 1, 1},
                                {17, 31, 33},
                                {40, 49, 64},
                                {33, 130, 515},
                                {193, 50, 31},
                                {195, 50, 1030},
                                {9, 400, 2048}}) {
    for (const Op a_op : {Op::none, Op::transposed}) {
      for (const Op b_op : {Op::none, Op::transposed}) {
        const auto a = random_floats(std::size_t(m) * k, 1, 1), b = random_floats(std::size_t(k) * n, 1, 2);
        Stored stored_a(Operands::bf16, a), stored_b(Operands::bf16, b);
        const int a_stride = a_op == Op::none ? k : m, b_stride = b_op == Op::none ? n : k;
        for (const auto& product : gemms) {
          SCOPED_TRACE(testing::Message() << m << " x " << n << " x " << k);
          std::vector<float> expected(std::size_t(m) * n, 0.5f), found = expected;
          product(m, n, k, 0.5f, {a.data(), a_stride, a_op}, {b.data(), b_stride, b_op}, true, expected.data(), n);
          product(m, n, k, 0.5f, {stored_a.array(), a_stride, a_op}, {stored_b.array(), b_stride, b_op}, true,
                  found.data(), n);
          EXPECT_EQ(found, expected);
        }
      }
    }
  }
}

// As it is, and the first rows and columns of a larger one.
TEST(Gemm, APackedOperandGivesTheSameBytes) {
  std::vector<GemmKernel> kernels = bf16_kernels();
  kernels.push_back(fp32_kernel());
  std::vector<GemmKernel> shared_scales{int16_kernel()};  // other numbers have a part in those of an operand's rest
  if (fused_int16_kernel()) shared_scales.push_back(*fused_int16_kernel());
  kernels.insert(kernels.end(), shared_scales.begin(), shared_scales.end());
  constexpr int kRows = 13;
  for (const auto& [k, n, packed_k, packed_n] : {std::array{1, 1, 1, 1},
                                                 {3, 49, 3, 49},
                                                 {513, 50, 513, 50},
                                                 {1030, 1930, 1030, 1930},
                                                 {64, 65, 64, 200},
                                                 {65, 64, 200, 64},
                                                 {300, 50, 700, 3850},
                                                 {601, 1950, 1030, 1985}}) {
    for (const Op op : {Op::none, Op::transposed}) {
      const auto a = random_floats(std::size_t(kRows) * k, 1, 1);
      const auto b = random_floats(std::size_t(packed_k) * packed_n, 1, 2);
      const MatrixView b_view{b.data(), op == Op::none ? packed_n : packed_k, op};
      for (const GemmKernel& kernel : kernels) {
        const bool shares = std::ranges::find(shared_scales, kernel.pack, &GemmKernel::pack) != shared_scales.end();
        if (shares && k != packed_k) continue;
        SCOPED_TRACE(testing::Message() << k << " x " << n << " of " << packed_k << " x " << packed_n);
        std::vector<float> expected(std::size_t(kRows) * n), found(expected.size());
        kernel.gemm(kRows, n, k, 0.5f, {a.data(), k}, b_view, false, expected.data(), n);
        Buffer packed(kernel.packed_floats(packed_k, packed_n));
        std::ranges::fill(packed.span(), NAN);  // all of it is written
        for (int part = 0; part < 3; ++part) kernel.pack(packed_k, packed_n, b_view, packed.data(), {part, 3});
        for (int again = 0; again < 2; ++again) {
          kernel.gemm_packed(kRows, n, k, 0.5f, {a.data(), k}, {packed.data(), packed_k, packed_n}, found.data(), n);
          EXPECT_EQ(found, expected);
        }
      }
    }
  }
}

// Numbers that end where the process's memory does: to read or write behind them kills the test.
template <class Number>
class AtTheEnd {
 public:
  explicit AtTheEnd(std::size_t count) {
    const std::size_t page = ::sysconf(_SC_PAGESIZE), bytes = (count * sizeof(Number) + page - 1) / page * page;
    size_ = bytes + page;
    memory_ = static_cast<char*>(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory_ == MAP_FAILED || ::mprotect(memory_ + bytes, page, PROT_NONE) != 0) std::abort();
    numbers_ = reinterpret_cast<Number*>(memory_ + bytes) - count;
  }
  ~AtTheEnd() { ::munmap(memory_, size_); }
  AtTheEnd(const AtTheEnd&) = delete;
  Number* data() const { return numbers_; }

 private:
  char* memory_;
  std::size_t size_;
  Number* numbers_;
};

template <class Number>
void multiply_at_the_end(const std::vector<decltype(GemmKernel::gemm)>& products) {
  for (const auto& [m, n, k] : {std::array{1, 1, 1}, {7, 49, 3}, {33, 31, 33}, {40, 65, 386}, {13, 47, 520}}) {
    for (const Op a_op : {Op::none, Op::transposed}) {
      for (const Op b_op : {Op::none, Op::transposed}) {
        const AtTheEnd<Number> a(std::size_t(m) * k), b(std::size_t(k) * n);
        const AtTheEnd<float> c(std::size_t(m) * n);
        for (const auto& product : products) {
          product(m, n, k, 1, {a.data(), a_op == Op::none ? k : m, a_op}, {b.data(), b_op == Op::none ? n : k, b_op},
                  true, c.data(), n);
          EXPECT_EQ(c.data()[0], 0);
        }
      }
    }
  }
}

TEST(Gemm, TouchesNothingBehindItsOperands) {
  std::vector<decltype(GemmKernel::gemm)> in_bf16, in_fp32{fp32_kernel().gemm, int16_kernel().gemm};
  if (fused_int16_kernel()) in_fp32.push_back(fused_int16_kernel()->gemm);
  for (const GemmKernel& kernel : bf16_kernels()) in_bf16.push_back(kernel.gemm);
  in_fp32.insert(in_fp32.end(), in_bf16.begin(), in_bf16.end());
  multiply_at_the_end<float>(in_fp32);
  multiply_at_the_end<bf16>(in_bf16);
}

TEST(Gemm, OverwritesWhatIsNotANumber) {
  std::vector<float> a(6 * 4, 1), b(4 * 16, 1), c(6 * 16, NAN);
  fp32_kernel().gemm(6, 16, 4, 1, {a.data(), 4}, {b.data(), 16}, false, c.data(), 16);
  for (float value : c) EXPECT_EQ(value, 4);
}

}  // namespace
}  // namespace btm
