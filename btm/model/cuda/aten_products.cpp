#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_scaled_dot_product_flash_attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_backward.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <optional>

#include "btm/core/error.h"
#include "btm/model/cuda/cudnn_attention.h"
#include "btm/model/cuda/lt_products.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/products.h"

namespace btm::cuda {
namespace {

// A c10::Error carries a backtrace and is no error of ours.
template <class Body>
auto with_our_errors(Body&& body) {
  try {
    return body();
  } catch (const c10::OutOfMemoryError& e) {
    throw Error(Cause::input, std::string(e.what_without_backtrace()) + "\n" + kFullMemoryAdvice);
  } catch (const c10::Error& e) {
    throw Error(Cause::failed, std::string("the GPU's matrix products: ") + e.what_without_backtrace());
  }
}

c10::Device current_device() {
  return c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).getDevice();
}

c10::impl::VirtualGuardImpl gpu() {
  try {
    return c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA);
  } catch (const c10::Error&) {
    throw Error(Cause::input,
                "the torch that btm was built with is one for CPUs; take a CUDA build of torch (make cuda "
                "TORCH_DIR=.../site-packages/torch) or set launcher.device: cpu");
  }
}

at::Tensor tensor(const bf16* p, at::IntArrayRef shape, at::IntArrayRef strides) {
  return at::from_blob(const_cast<bf16*>(p), shape, strides, at::TensorOptions(current_device()).dtype(at::kBFloat16));
}
at::Tensor matrix(const bf16* p, std::int64_t rows, std::int64_t columns) {
  return tensor(p, {rows, columns}, {columns, 1});
}
at::Tensor float_matrix(float* p, std::int64_t rows, std::int64_t columns) {
  return at::from_blob(p, {rows, columns}, at::TensorOptions(current_device()).dtype(at::kFloat));
}

// w [in, out], however it lies.
at::Tensor weight_of(const LinearOffsets& l, const bf16* weights) {
  if (l.op == Op::none) return matrix(weights + l.weight, l.in, l.out);
  return matrix(weights + l.weight, l.out, l.in).t();
}

// The same for cuBLASLt, or its transpose.
LtMatrix lt_weight_of(const LinearOffsets& l, const bf16* weights) {
  return {weights + l.weight, l.op == Op::none ? l.out : l.in, l.op};
}
LtMatrix transposed(LtMatrix m) {
  m.op = m.op == Op::none ? Op::transposed : Op::none;
  return m;
}

// [sequences, heads, queries, head_dim], as attention of ATen's takes them, of rows of `stride` numbers.
at::Tensor heads_of(const bf16* p, const AttentionShape& s, int sequences, int heads, std::int64_t stride) {
  return tensor(p, {sequences, heads, s.queries, s.head_dim}, {s.queries * stride, s.head_dim, stride, 1});
}

struct Views {
  Views(const AttentionShape& s, int sequences, const bf16* qkv) {
    const std::int64_t width = std::int64_t(s.heads) * s.head_dim, kv = std::int64_t(s.kv_heads) * s.head_dim;
    const std::int64_t stride = width + 2 * kv;
    q = heads_of(qkv, s, sequences, s.heads, stride);
    k = heads_of(qkv + width, s, sequences, s.kv_heads, stride);
    v = heads_of(qkv + width + kv, s, sequences, s.kv_heads, stride);
  }
  at::Tensor q, k, v;
};

// The other way round: [sequences, heads, queries, head_dim] as rows of heads, which is how flash attention has them.
at::Tensor rows_of(const at::Tensor& heads) {
  return heads.transpose(1, 2).contiguous();
}
const bf16* data_of(const at::Tensor& t) {
  return static_cast<const bf16*>(t.const_data_ptr());
}

at::Tensor log_sums_of(const AttentionShape& s, int sequences, const float* log_sums) {
  return at::from_blob(const_cast<float*>(log_sums), {sequences, s.heads, s.queries},
                       at::TensorOptions(current_device()).dtype(at::kFloat));
}

// The stream that ATen gives this thread's work to, while this lives.
class CurrentStream {
 public:
  CurrentStream(const c10::impl::VirtualGuardImpl& gpu, c10::Stream stream)
      : gpu_(gpu), before_(gpu.exchangeStream(stream)) {}
  ~CurrentStream() { gpu_.exchangeStream(before_); }
  CurrentStream(const CurrentStream&) = delete;
  CurrentStream& operator=(const CurrentStream&) = delete;

 private:
  const c10::impl::VirtualGuardImpl& gpu_;
  c10::Stream before_;
};

// While this lives, flash attention adds up the gradient of the queries in one order, in place of that in which its
// blocks come by. (Strict mode is what it asks for; for all that we call, it would refuse products without cuBLAS's own
// setting.)
class OneOrder {
 public:
  OneOrder() {
    at::globalContext().setDeterministicAlgorithms(true, false);
    at::globalContext().setDeterministicFillUninitializedMemory(false);
  }
  ~OneOrder() { at::globalContext().setDeterministicAlgorithms(false, false); }
  OneOrder(const OneOrder&) = delete;
  OneOrder& operator=(const OneOrder&) = delete;
};

// A process works on one GPU and gives it one stream: ATen keeps memory, and cuBLAS its own, for each.
c10::Stream stream_of(const c10::impl::VirtualGuardImpl& gpu) {
  static const c10::Stream stream = gpu.getStreamFromGlobalPool(gpu.getDevice());
  return stream;
}

// Where it had none left, ATen gives back what it keeps before it asks again, and that is what recorded graphs use.
void require_kept_memory(c10::DeviceIndex device) {
  if (at::getDeviceAllocator(c10::DeviceType::CUDA)->getDeviceStats(device).num_alloc_retries == 0) return;
  throw Error(Cause::input, std::string("the GPU's memory is full\n") + kFullMemoryAdvice);
}

class AtenProducts : public Products {
 public:
  explicit AtenProducts(int device) {
    with_our_errors([&] {
      gpu_.setDevice(c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(device)));
      stream_ = stream_of(gpu_);
    });
    const auto scratch = [](std::size_t bytes) {
      const auto size = static_cast<std::int64_t>(bytes);
      return at::empty({size}, at::TensorOptions(current_device()).dtype(at::kByte)).mutable_data_ptr();
    };
    lt_.emplace(stream(), scratch);
    cudnn_.emplace(stream(), scratch);
  }

  cudaStream_t stream() const override { return static_cast<cudaStream_t>(stream_->native_handle()); }

  void linear_forward(const LinearOffsets& l, const bf16* weights, int rows, const bf16* x, bf16* y,
                      int stride) override {
    on_stream([&] {
      const bf16* bias = l.bias == kAbsent ? nullptr : weights + l.bias;
      if (lt_->product(rows, l.out, l.in, {x, l.in, Op::none}, lt_weight_of(l, weights), bias, y, stride)) return;
      at::Tensor out = tensor(y, {rows, l.out}, {stride, 1});
      if (bias) {
        at::addmm_out(out, tensor(bias, {l.out}, {1}), matrix(x, rows, l.in), weight_of(l, weights));
      } else {
        at::mm_out(out, matrix(x, rows, l.in), weight_of(l, weights));
      }
    });
  }

  void linear_backward_input(const LinearOffsets& l, const bf16* weights, int rows, const bf16* dy, int stride,
                             bf16* dx) override {
    on_stream([&] {
      const LtMatrix w = transposed(lt_weight_of(l, weights));
      if (lt_->product(rows, l.in, l.out, {dy, stride, Op::none}, w, nullptr, dx, l.in)) return;
      at::Tensor out = matrix(dx, rows, l.in);
      at::mm_out(out, tensor(dy, {rows, l.out}, {stride, 1}), weight_of(l, weights).t());
    });
  }

  void linear_backward_weight(const LinearOffsets& l, int rows, const bf16* x, const bf16* dy, int stride,
                              float* gradients) override {
    on_stream([&] {
      LtMatrix a = {x, l.in, Op::none}, b = {dy, stride, Op::none};
      int m = l.in, n = l.out;
      if (l.op != Op::none) {
        std::swap(a, b);
        std::swap(m, n);
      }
      if (lt_->add_product(m, n, rows, transposed(a), b, gradients + l.weight)) return;
      at::Tensor in = matrix(x, rows, l.in), out = tensor(dy, {rows, l.out}, {stride, 1});
      if (l.op != Op::none) std::swap(in, out);
      at::Tensor sum = float_matrix(gradients + l.weight, in.size(1), out.size(1));
      at::addmm_out(sum, sum, in.t(), out, at::kFloat);
    });
  }

  void attention_forward(const AttentionShape& s, int sequences, const bf16* qkv, bf16* attended,
                         float* log_sums) override {
    on_stream([&] {
      if (cudnn_->forward(s, sequences, qkv, attended, log_sums)) return;
      const Views in(s, sequences, qkv);
      const auto result = at::_scaled_dot_product_flash_attention(in.q, in.k, in.v, 0.0, true);
      heads_of(attended, s, sequences, s.heads, std::int64_t(s.heads) * s.head_dim).copy_(std::get<0>(result));
      log_sums_of(s, sequences, log_sums).copy_(std::get<1>(result));
    });
  }

  void attention_backward(const AttentionShape& s, int sequences, const bf16* qkv, const bf16* attended,
                          const float* log_sums, const bf16* d_attended, bf16* d_qkv,
                          const std::function<void(const HeadGradients&)>& take) override {
    const int width = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim;
    on_stream([&] {
      if (cudnn_->backward(s, sequences, qkv, attended, log_sums, d_attended, d_qkv)) {
        return take(heads_within(s, d_qkv));
      }
      const Views in(s, sequences, qkv);
      const auto apart = [&] {
        const OneOrder one_order;
        const at::Tensor none, unused = at::empty({}, at::TensorOptions(current_device()).dtype(at::kLong));
        return at::_scaled_dot_product_flash_attention_backward(
            heads_of(d_attended, s, sequences, s.heads, width), in.q, in.k, in.v,
            heads_of(attended, s, sequences, s.heads, width), log_sums_of(s, sequences, log_sums), none, none,
            s.queries, s.queries, 0.0, true, unused, unused);
      }();
      const at::Tensor q = rows_of(std::get<0>(apart)), k = rows_of(std::get<1>(apart)),
                       v = rows_of(std::get<2>(apart));
      take({data_of(q), data_of(k), data_of(v), width, kv});
    });
  }

 private:
  template <class Work>
  void on_stream(Work&& work) const {
    with_our_errors([&] {
      const CurrentStream current(gpu_, *stream_);
      work();
      require_kept_memory(stream_->device_index());
    });
  }

  c10::impl::VirtualGuardImpl gpu_ = gpu();
  std::optional<c10::Stream> stream_;
  std::optional<LtProducts> lt_;
  std::optional<CudnnAttention> cudnn_;
};

}  // namespace
}  // namespace btm::cuda

// See make_products().
extern "C" __attribute__((visibility("default"))) btm::cuda::Products* btm_make_products(int device) {
  return new btm::cuda::AtenProducts(device);
}
