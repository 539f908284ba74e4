// Attention on the GPU against the CPU's, which is tested against the formulas.
#include <gtest/gtest.h>

#include "btm/core/buffer.h"
#include "btm/model/cuda/columns.h"
#include "btm/model/cuda/cudnn_attention.h"
#include "btm/model/cuda/products.h"
#include "tests/cuda/on_device.h"

namespace btm {
namespace {

using test::as_bf16;
using test::as_floats;
using test::expect_alike;
using test::Floats;
using test::OnDevice;

constexpr double kTolerance = 0.01;  // of an array's length: of products of 8 bits, rounded to 8 bits in between

struct AttentionCase {
  AttentionShape shape;
  int sequences;
};

// On the emulator only what it does in a moment; on a GPU also what cuDNN is for.
std::vector<AttentionCase> attention_cases() {
  std::vector<AttentionCase> all = {{{5, 0, 3, 3, 8}, 2}, {{40, 0, 4, 2, 16}, 3}};
  if (test::emulated()) return all;
  for (const AttentionCase& large :
       {AttentionCase{{1024, 0, 12, 12, 64}, 6}, {{1000, 0, 6, 6, 128}, 6}, {{520, 0, 16, 4, 80}, 12}}) {
    EXPECT_TRUE(cuda::worth_cudnn(large.shape, large.sequences));
    all.push_back(large);
  }
  return all;
}

struct AttentionResults {
  Floats attended, log_sums, d_qkv;
};

AttentionResults on_cpu(const AttentionCase& c, const Floats& qkv, const Floats& d_attended) {
  const AttentionShape& s = c.shape;
  const int width = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim, joined = width + 2 * kv;
  AttentionResults r{Floats(d_attended.size()), Floats(std::size_t(c.sequences) * s.heads * s.queries),
                     Floats(qkv.size())};
  Buffer workspace(attention_workspace(s));
  for (int i = 0; i < c.sequences; ++i) {
    const std::size_t rows = std::size_t(i) * s.queries;
    const float* q = qkv.data() + rows * joined;
    float *out = r.attended.data() + rows * width, *sums = r.log_sums.data() + rows * s.heads;
    float* d_q = r.d_qkv.data() + rows * joined;
    attention_forward(s, {q, joined}, {q + width, joined}, {q + width + kv, joined}, {out, width}, sums,
                      workspace.data());
    attention_backward(s, {q, joined}, {q + width, joined}, {q + width + kv, joined}, {out, width}, sums,
                       {d_attended.data() + rows * width, width}, {d_q, joined}, {d_q + width, joined},
                       {d_q + width + kv, joined}, workspace.data());
  }
  return r;
}

AttentionResults on_gpu(const AttentionCase& c, cuda::Products& products, const Floats& qkv, const Floats& d_attended) {
  const AttentionShape& s = c.shape;
  const int width = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim, rows = c.sequences * s.queries;
  const OnDevice<bf16> g_qkv(as_bf16(qkv)), g_d(as_bf16(d_attended)), g_out(d_attended.size()), g_d_qkv(qkv.size());
  const OnDevice<float> sums(std::size_t(rows) * s.heads), bias(std::size_t(width) + 2 * kv),
      partial(cuda::column_partial_floats(width + 2 * kv));
  products.attention_forward(s, c.sequences, g_qkv.data(), g_out.data(), sums.data());
  products.attention_backward(s, c.sequences, g_qkv.data(), g_out.data(), sums.data(), g_d.data(), g_d_qkv.data(),
                              [&](const cuda::HeadGradients& apart) {
                                cuda::join_heads(products.stream(), s, rows, apart, g_d_qkv.data(), bias.data(),
                                                 partial.data());
                              });
  cuda::check_cuda(cudaStreamSynchronize(products.stream()), "its work");
  return {as_floats(g_out.read()), sums.read(), as_floats(g_d_qkv.read())};
}

TEST(CudaAttention, IsTheCpusAndHasTheSameBytesAgain) {
  const std::unique_ptr<cuda::Products> products = cuda::make_products();
  for (const AttentionCase& c : attention_cases()) {
    const AttentionShape& s = c.shape;
    SCOPED_TRACE(testing::Message() << c.sequences << " x " << s.queries << ", " << s.heads << " heads of "
                                    << s.head_dim);
    const std::size_t rows = std::size_t(c.sequences) * s.queries;
    const Floats qkv = test::cut(test::random_floats(rows * (s.heads + 2 * s.kv_heads) * s.head_dim, 1, 1));
    const Floats d = test::cut(test::random_floats(rows * s.heads * s.head_dim, 1, 2));
    const AttentionResults expected = on_cpu(c, qkv, d), found = on_gpu(c, *products, qkv, d);
    expect_alike(found.attended, expected.attended, kTolerance, "attended");
    expect_alike(found.log_sums, expected.log_sums, kTolerance, "log sums");
    expect_alike(found.d_qkv, expected.d_qkv, kTolerance, "gradients");
    const AttentionResults again = on_gpu(c, *products, qkv, d);
    EXPECT_EQ(again.attended, found.attended);
    EXPECT_EQ(again.d_qkv, found.d_qkv);
  }
}

}  // namespace
}  // namespace btm
