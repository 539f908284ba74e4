// What ATen does on a GPU, by the CPU's own products: bf16 in, sums in float32, bf16 out.
#include "btm/model/cuda/products.h"

#include <cuda_bf16.h>

#include <vector>

#include "btm/model/linear.h"

namespace btm::cuda {
namespace {

using Floats = std::vector<float>;

// A matrix whose rows are `stride` numbers apart, without what is between them.
Floats wide(const bf16* p, int rows, int columns, int stride) {
  Floats result;
  for (int row = 0; row < rows; ++row, p += stride) {
    for (int c = 0; c < columns; ++c) result.push_back(__bfloat162float(__ushort_as_bfloat16(p[c].bits)));
  }
  return result;
}
Floats wide(const bf16* p, std::size_t count) {
  return wide(p, 1, static_cast<int>(count), 0);
}
void narrow(const Floats& from, int columns, int stride, bf16* to) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::size_t row = i / static_cast<std::size_t>(columns), c = i % static_cast<std::size_t>(columns);
    to[row * static_cast<std::size_t>(stride) + c] = {__bfloat16_as_ushort(__float2bfloat16_rn(from[i]))};
  }
}
void narrow(const Floats& from, bf16* to) {
  narrow(from, static_cast<int>(from.size()), 0, to);
}

std::size_t weight_size(const LinearOffsets& l) {
  return static_cast<std::size_t>(l.in) * static_cast<std::size_t>(l.out);
}

// The layer alone, its weight at 0.
LinearOffsets alone(LinearOffsets l) {
  l.weight = 0;
  return l;
}

std::size_t area(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

}  // namespace

struct ProductStream::Impl {
  EmulatedStream stream;
};
ProductStream::ProductStream() : impl_(std::make_unique<Impl>()) {}
ProductStream::~ProductStream() = default;
cudaStream_t ProductStream::get() const {
  return &impl_->stream;
}

void linear_forward(cudaStream_t stream, const LinearOffsets& l, const bf16* weights, int rows, const bf16* x, bf16* y,
                    int stride) {
  emulator::submit(stream, [=] {
    const SerialBlas serial;
    const Floats w = wide(weights + l.weight, weight_size(l)), in = wide(x, area(rows, l.in));
    Floats out(area(rows, l.out));
    btm::linear_forward(alone(l), {w.data(), nullptr, Operands::fp32}, rows, in.data(), out.data());
    if (l.bias != kAbsent) {
      const Floats bias = wide(weights + l.bias, static_cast<std::size_t>(l.out));
      for (std::size_t i = 0; i < out.size(); ++i) out[i] += bias[i % bias.size()];
    }
    narrow(out, l.out, stride, y);
  });
}

void linear_backward_input(cudaStream_t stream, const LinearOffsets& l, const bf16* weights, int rows, const bf16* dy,
                           int stride, bf16* dx) {
  emulator::submit(stream, [=] {
    const SerialBlas serial;
    const Floats w = wide(weights + l.weight, weight_size(l)), out = wide(dy, rows, l.out, stride);
    Floats in(area(rows, l.in));
    btm::linear_backward_input(alone(l), {w.data(), nullptr, Operands::fp32}, rows, out.data(), in.data());
    narrow(in, dx);
  });
}

void linear_backward_weight(cudaStream_t stream, const LinearOffsets& l, int rows, const bf16* x, const bf16* dy,
                            int stride, float* gradients) {
  emulator::submit(stream, [=] {
    const SerialBlas serial;
    const Floats in = wide(x, area(rows, l.in)), out = wide(dy, rows, l.out, stride);
    btm::linear_backward_weight(l, Operands::fp32, rows, in.data(), out.data(), gradients);
  });
}

void attention_forward(cudaStream_t stream, const AttentionShape& shape, int sequences, const bf16* qkv, bf16* attended,
                       float* log_sums) {
  emulator::submit(stream, [=] {
    const SerialBlas serial;
    AttentionShape s = shape;
    s.operands = Operands::fp32;
    const int width = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim, stride = width + 2 * kv;
    const Floats in = wide(qkv, area(sequences * s.queries, stride));
    Floats out(area(sequences * s.queries, width)), workspace(attention_workspace(s));
    for (int i = 0; i < sequences; ++i) {
      const float* q = in.data() + area(i * s.queries, stride);
      btm::attention_forward(s, {q, stride}, {q + width, stride}, {q + width + kv, stride},
                             {out.data() + area(i * s.queries, width), width}, log_sums + area(i * s.heads, s.queries),
                             workspace.data());
    }
    narrow(out, attended);
  });
}

void attention_backward(cudaStream_t stream, const AttentionShape& shape, int sequences, const bf16* qkv,
                        const bf16* attended, const float* log_sums, const bf16* d_attended, bf16* d_qkv) {
  emulator::submit(stream, [=] {
    const SerialBlas serial;
    AttentionShape s = shape;
    s.operands = Operands::fp32;
    const int width = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim, stride = width + 2 * kv;
    const Floats in = wide(qkv, area(sequences * s.queries, stride));
    const Floats out = wide(attended, area(sequences * s.queries, width));
    const Floats d_out = wide(d_attended, area(sequences * s.queries, width));
    Floats d_in(in.size()), workspace(attention_workspace(s));
    for (int i = 0; i < sequences; ++i) {
      const std::size_t at = area(i * s.queries, stride), narrow_at = area(i * s.queries, width);
      const float* q = in.data() + at;
      float* d_q = d_in.data() + at;
      btm::attention_backward(s, {q, stride}, {q + width, stride}, {q + width + kv, stride},
                              {out.data() + narrow_at, width}, log_sums + area(i * s.heads, s.queries),
                              {d_out.data() + narrow_at, width}, {d_q, stride}, {d_q + width, stride},
                              {d_q + width + kv, stride}, workspace.data());
    }
    narrow(d_in, d_qkv);
  });
}

}  // namespace btm::cuda
