#include "btm/model/cuda/lt_products.h"

#include <cublasLt.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "btm/core/error.h"
#include "btm/model/cuda/fingerprint.h"

namespace btm::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32}
                                   << 20;  // of an algorithm, bytes at most: as PyTorch has it on Hopper
constexpr int kAlgorithms = 8;             // that are asked for
constexpr int kRounds = 4;                 // in which each is timed once

void check(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw Error(Cause::failed,
                std::string("the GPU's matrix products: cuBLASLt says ") + cublasLtGetStatusString(status));
  }
}
void check(cudaError_t answer) {
  if (answer != cudaSuccess) {
    throw Error(Cause::failed, std::string("the GPU's matrix products: ") + cudaGetErrorString(answer));
  }
}

template <class T, cublasStatus_t (*release)(T)>
class Owned {
 public:
  ~Owned() { release(handle); }
  Owned() = default;
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  T handle = nullptr;
};
using Descriptor = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

// A product as cuBLASLt sees it, column by column: c^T [n, m] = b^T [n, k] a^T [k, m].
struct Product {
  int m, n, k;
  LtMatrix a, b;
  const bf16* bias;
  void* c;
  std::int64_t c_stride;
  bool adds;  // to c, in float32

  std::size_t c_bytes() const {
    return static_cast<std::size_t>(m) * static_cast<std::size_t>(c_stride) * (adds ? sizeof(float) : sizeof(bf16));
  }
};

// Of an address, as far as algorithms care.
std::uint32_t alignment(const void* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  return static_cast<std::uint32_t>(std::min<std::uintptr_t>(256, address & (~address + 1)));
}

class Call {
 public:
  explicit Call(const Product& p) : p_(p) {
    check(cublasLtMatmulDescCreate(&how_.handle, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    set(CUBLASLT_MATMUL_DESC_TRANSA, p.b.op == Op::none ? CUBLAS_OP_N : CUBLAS_OP_T);
    set(CUBLASLT_MATMUL_DESC_TRANSB, p.a.op == Op::none ? CUBLAS_OP_N : CUBLAS_OP_T);
    if (p.bias) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
    }
    lay_out(b_, CUDA_R_16BF, p.n, p.k, p.b);
    lay_out(a_, CUDA_R_16BF, p.k, p.m, p.a);
    check(cublasLtMatrixLayoutCreate(&c_.handle, p.adds ? CUDA_R_32F : CUDA_R_16BF, p.n, p.m, p.c_stride));
  }

  // The best one first, as cuBLASLt guesses.
  std::vector<cublasLtMatmulAlgo_t> algorithms(cublasLtHandle_t library, int most) const {
    Preference wanted;
    check(cublasLtMatmulPreferenceCreate(&wanted.handle));
    auto want = [&](cublasLtMatmulPreferenceAttributes_t what, auto value) {
      check(cublasLtMatmulPreferenceSetAttribute(wanted.handle, what, &value, sizeof(value)));
    };
    want(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
    want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(p_.b.data));
    want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(p_.a.data));
    want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(p_.c));
    want(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(p_.c));
    std::array<cublasLtMatmulHeuristicResult_t, kAlgorithms> found;
    int count = 0;
    check(cublasLtMatmulAlgoGetHeuristic(library, how_.handle, b_.handle, a_.handle, c_.handle, c_.handle,
                                         wanted.handle, most, found.data(), &count));
    if (count == 0) check(CUBLAS_STATUS_NOT_SUPPORTED);
    std::vector<cublasLtMatmulAlgo_t> result;
    for (int i = 0; i < count; ++i) result.push_back(found[static_cast<std::size_t>(i)].algo);
    return result;
  }

  cublasStatus_t run(cublasLtHandle_t library, const cublasLtMatmulAlgo_t& algorithm, void* workspace,
                     cudaStream_t stream) const {
    const float one = 1, kept = p_.adds ? 1 : 0;
    return cublasLtMatmul(library, how_.handle, &one, p_.b.data, b_.handle, p_.a.data, a_.handle, &kept, p_.c,
                          c_.handle, p_.c, c_.handle, &algorithm, workspace, kWorkspace, stream);
  }

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t what, T value) {
    check(cublasLtMatmulDescSetAttribute(how_.handle, what, &value, sizeof(value)));
  }
  // What op() makes [rows, columns], column by column.
  static void lay_out(Layout& layout, cudaDataType_t type, int rows, int columns, const LtMatrix& matrix) {
    const bool plain = matrix.op == Op::none;
    check(cublasLtMatrixLayoutCreate(&layout.handle, type, static_cast<std::uint64_t>(plain ? rows : columns),
                                     static_cast<std::uint64_t>(plain ? columns : rows), matrix.stride));
  }

  const Product& p_;
  Descriptor how_;
  Layout a_, b_, c_;
};

class Timestamp {
 public:
  Timestamp() { check(cudaEventCreate(&event_)); }
  ~Timestamp() { cudaEventDestroy(event_); }
  Timestamp(const Timestamp&) = delete;
  Timestamp& operator=(const Timestamp&) = delete;
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace

class LtProducts::Algorithms {
 public:
  Algorithms(cudaStream_t stream, Scratch scratch) : stream_(stream), scratch_(std::move(scratch)) {
    check(cublasLtCreate(&library_));
  }
  ~Algorithms() { cublasLtDestroy(library_); }
  Algorithms(const Algorithms&) = delete;
  Algorithms& operator=(const Algorithms&) = delete;

  void run(const Product& p) {
    const Call call(p);
    const Key key = {p.m,
                     p.n,
                     p.k,
                     static_cast<std::int64_t>(p.a.op),
                     static_cast<std::int64_t>(p.b.op),
                     p.a.stride,
                     p.b.stride,
                     p.c_stride,
                     p.adds,
                     p.bias != nullptr,
                     alignment(p.a.data),
                     alignment(p.b.data),
                     alignment(p.c)};
    auto found = chosen_.find(key);
    if (found == chosen_.end()) found = chosen_.emplace(key, choose(p, call)).first;
    check(call.run(library_, found->second, scratch_(kWorkspace), stream_));
  }

 private:
  using Key = std::array<std::int64_t, 13>;

  // What is being recorded can't be timed.
  cublasLtMatmulAlgo_t choose(const Product& p, const Call& call) {
    cudaStreamCaptureStatus recorded{};
    check(cudaStreamIsCapturing(stream_, &recorded));
    if (!is_timed(p.m, p.n, p.k) || recorded != cudaStreamCaptureStatusNone) {
      return call.algorithms(library_, 1).front();
    }
    return fastest(p, call);
  }

  // c is as it was afterwards where the product adds to it; else it is to be written anyway.
  cublasLtMatmulAlgo_t fastest(const Product& p, const Call& call) {
    std::vector<cublasLtMatmulAlgo_t> candidates = call.algorithms(library_, kAlgorithms);
    const std::size_t kept = p.adds ? p.c_bytes() : 0;
    auto* scratch = static_cast<char*>(scratch_(kWorkspace + kept + sizeof(std::uint64_t)));
    char* before = scratch + kWorkspace;
    auto* print = reinterpret_cast<std::uint64_t*>(before + kept);
    auto restore = [&] { check(cudaMemcpyAsync(p.c, before, kept, cudaMemcpyDeviceToDevice, stream_)); };
    auto fingerprint_of_c = [&] {
      std::uint64_t found = 0;
      check(fingerprint(stream_, p.c, p.c_bytes() / sizeof(std::uint32_t), print));
      check(cudaMemcpyAsync(&found, print, sizeof(found), cudaMemcpyDeviceToHost, stream_));
      check(cudaStreamSynchronize(stream_));
      return found;
    };
    if (p.adds) {
      check(cudaMemcpyAsync(before, p.c, kept, cudaMemcpyDeviceToDevice, stream_));
    } else {
      check(cudaMemsetAsync(p.c, 0, p.c_bytes(), stream_));
    }
    const std::uint64_t untouched = fingerprint_of_c();

    std::optional<std::uint64_t> first;
    std::erase_if(candidates, [&](const cublasLtMatmulAlgo_t& candidate) {
      restore();
      if (call.run(library_, candidate, scratch, stream_) != CUBLAS_STATUS_SUCCESS) return true;
      const std::uint64_t found = fingerprint_of_c();
      if (!first) first = found;
      return found != *first;
    });
    if (candidates.empty()) check(CUBLAS_STATUS_NOT_SUPPORTED);
    if (*first == untouched) candidates.resize(1);  // of zeros all algorithms make zeros: that tells nothing

    const Timestamp begin, end;
    std::vector<float> best(candidates.size(), std::numeric_limits<float>::infinity());
    for (int round = 0; round < kRounds; ++round) {
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        check(cudaEventRecord(begin, stream_));
        check(call.run(library_, candidates[i], scratch, stream_));
        check(cudaEventRecord(end, stream_));
        check(cudaEventSynchronize(end));
        float milliseconds = 0;
        check(cudaEventElapsedTime(&milliseconds, begin, end));
        best[i] = std::min(best[i], milliseconds);
      }
    }
    restore();
    return candidates[static_cast<std::size_t>(std::min_element(best.begin(), best.end()) - best.begin())];
  }

  cudaStream_t stream_;
  Scratch scratch_;
  cublasLtHandle_t library_ = nullptr;
  std::map<Key, cublasLtMatmulAlgo_t> chosen_;
};

LtProducts::LtProducts(cudaStream_t stream, Scratch scratch)
    : algorithms_(std::make_unique<Algorithms>(stream, std::move(scratch))) {}
LtProducts::~LtProducts() = default;

bool LtProducts::product(int m, int n, int k, LtMatrix a, LtMatrix b, const bf16* bias, bf16* c,
                         std::int64_t c_stride) {
  algorithms_->run({m, n, k, a, b, bias, c, c_stride, false});
  return true;
}

bool LtProducts::add_product(int m, int n, int k, LtMatrix a, LtMatrix b, float* c) {
  algorithms_->run({m, n, k, a, b, nullptr, c, n, true});
  return true;
}

}  // namespace btm::cuda
