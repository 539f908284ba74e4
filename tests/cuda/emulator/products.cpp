// What ATen does on a GPU, by the CPU's own products: bf16 in, sums in float32, bf16 out.
#include "btm/model/cuda/products.h"

#include <cuda_bf16.h>

#include <vector>

#include "btm/core/buffer.h"
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

// The heads of all sequences in float32.
struct WideHeads {
  WideHeads(const AttentionShape& of, int sequences, const bf16* packed)
      : shape(of),
        width(of.heads * of.head_dim),
        kv(of.kv_heads * of.head_dim),
        stride(width + 2 * kv),
        qkv(wide(packed, area(sequences * of.queries, stride))) {
    shape.operands = Operands::fp32;
  }
  std::size_t at(int sequence) const { return area(sequence * shape.queries, stride); }        // in qkv
  std::size_t narrow_at(int sequence) const { return area(sequence * shape.queries, width); }  // in what is attended
  std::size_t sums_at(int sequence) const { return area(sequence * shape.heads, shape.queries); }

  AttentionShape shape;
  int width, kv, stride;
  Floats qkv;
};

class EmulatedProducts : public Products {
 public:
  cudaStream_t stream() const override { return &stream_; }

  void linear_forward(const LinearOffsets& l, const bf16* weights, int rows, const bf16* x, bf16* y,
                      int stride) override {
    emulator::submit(&stream_, [=] {
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

  void linear_backward_input(const LinearOffsets& l, const bf16* weights, int rows, const bf16* dy, int stride,
                             bf16* dx) override {
    emulator::submit(&stream_, [=] {
      const Floats w = wide(weights + l.weight, weight_size(l)), out = wide(dy, rows, l.out, stride);
      Floats in(area(rows, l.in));
      btm::linear_backward_input(alone(l), {w.data(), nullptr, Operands::fp32}, rows, out.data(), in.data());
      narrow(in, dx);
    });
  }

  void linear_backward_weight(const LinearOffsets& l, int rows, const bf16* x, const bf16* dy, int stride,
                              float* gradients) override {
    emulator::submit(&stream_, [=] {
      const Floats in = wide(x, area(rows, l.in)), out = wide(dy, rows, l.out, stride);
      btm::linear_backward_weight(l, Operands::fp32, rows, in.data(), out.data(), gradients);
    });
  }

  void attention_forward(const AttentionShape& shape, int sequences, const bf16* qkv, bf16* attended,
                         float* log_sums) override {
    emulator::submit(&stream_, [=] {
      const WideHeads in(shape, sequences, qkv);
      Floats out(in.narrow_at(sequences));
      Buffer workspace(attention_workspace(in.shape));
      for (int i = 0; i < sequences; ++i) {
        const float* q = in.qkv.data() + in.at(i);
        btm::attention_forward(in.shape, {q, in.stride}, {q + in.width, in.stride}, {q + in.width + in.kv, in.stride},
                               {out.data() + in.narrow_at(i), in.width}, log_sums + in.sums_at(i), workspace.data());
      }
      narrow(out, attended);
    });
  }

  void attention_backward(const AttentionShape& shape, int sequences, const bf16* qkv, const bf16* attended,
                          const float* log_sums, const bf16* d_attended, bf16*,
                          const std::function<void(const HeadGradients&)>& take) override {
    const int rows = sequences * shape.queries, width = shape.heads * shape.head_dim,
              kv = shape.kv_heads * shape.head_dim;
    d_q_.resize(area(rows, width));
    d_k_.resize(area(rows, kv));
    d_v_.resize(area(rows, kv));
    emulator::submit(&stream_, [=, this] {
      const WideHeads in(shape, sequences, qkv);
      const Floats out = wide(attended, in.narrow_at(sequences)), d_out = wide(d_attended, in.narrow_at(sequences));
      Floats d_q(d_q_.size()), d_k(d_k_.size()), d_v(d_v_.size());
      Buffer workspace(attention_workspace(in.shape));
      for (int i = 0; i < sequences; ++i) {
        const float* q = in.qkv.data() + in.at(i);
        const std::size_t at = in.narrow_at(i), kv_at = area(i * shape.queries, kv);
        btm::attention_backward(in.shape, {q, in.stride}, {q + in.width, in.stride}, {q + in.width + in.kv, in.stride},
                                {out.data() + at, width}, log_sums + in.sums_at(i), {d_out.data() + at, width},
                                {d_q.data() + at, width}, {d_k.data() + kv_at, kv}, {d_v.data() + kv_at, kv},
                                workspace.data());
      }
      narrow(d_q, d_q_.data());
      narrow(d_k, d_k_.data());
      narrow(d_v, d_v_.data());
    });
    take({d_q_.data(), d_k_.data(), d_v_.data(), width, kv});
  }

 private:
  std::vector<bf16> d_q_, d_k_, d_v_;
  mutable EmulatedStream stream_;  // which runs what is left before those go
};

}  // namespace

std::unique_ptr<Products> make_products() {
  return std::make_unique<EmulatedProducts>();
}

}  // namespace btm::cuda
