#include "btm/model/cuda/cudnn_attention.h"

#define CUDNN_FRONTEND_SKIP_JSON_LIB
#include <cudnn_frontend.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "btm/core/error.h"

namespace btm::cuda {
namespace {

namespace fe = cudnn_frontend;
using Tensor = fe::graph::Tensor_attributes;

enum Id : std::int64_t { kQ, kK, kV, kOut, kLogSums, kDOut, kDQ, kDK, kDV };

struct Plan {
  std::shared_ptr<fe::graph::Graph> graph;  // none: cuDNN can't
  int sequences = 0;                        // of a call
  std::size_t scratch = 0;                  // bytes
};

using Arrays = std::unordered_map<std::int64_t, void*>;

// Where the arrays of a sequence begin.
struct Rows {
  explicit Rows(const AttentionShape& s)
      : queries(s.queries),
        heads(s.heads),
        width(std::int64_t(s.heads) * s.head_dim),
        kv(std::int64_t(s.kv_heads) * s.head_dim),
        joined(width + 2 * kv) {}

  Arrays of_qkv(const bf16* qkv, std::array<Id, 3> ids, int sequence) const {
    bf16* p = const_cast<bf16*>(qkv) + sequence * queries * joined;
    return {{ids[0], p}, {ids[1], p + width}, {ids[2], p + width + kv}};
  }
  void* of(const bf16* attended, int sequence) const {
    return const_cast<bf16*>(attended) + sequence * queries * width;
  }
  void* of(const float* log_sums, int sequence) const {
    return const_cast<float*>(log_sums) + sequence * queries * heads;
  }

  std::int64_t queries, heads, width, kv, joined;
};

// What is computed, before cuDNN has been asked how.
class Description {
 public:
  Description(const AttentionShape& s, int sequences) : s_(s), rows_(s), sequences_(sequences) {
    graph_->set_io_data_type(fe::DataType_t::BFLOAT16)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
  }

  std::shared_ptr<fe::graph::Graph> forward() {
    auto [out, log_sums] = graph_->sdpa(tensor(kQ, s_.heads, rows_.joined), tensor(kK, s_.kv_heads, rows_.joined),
                                        tensor(kV, s_.kv_heads, rows_.joined),
                                        fe::graph::SDPA_attributes()
                                            .set_name("attention")
                                            .set_generate_stats(true)
                                            .set_causal_mask(true)
                                            .set_attn_scale(scale()));
    as_output(out, kOut, s_.heads, rows_.width);
    log_sums->set_output(true).set_data_type(fe::DataType_t::FLOAT).set_uid(kLogSums);
    return graph_;
  }

  std::shared_ptr<fe::graph::Graph> backward() {
    const auto log_sums = graph_->tensor(Tensor()
                                             .set_uid(kLogSums)
                                             .set_dim({sequences_, s_.heads, s_.queries, 1})
                                             .set_stride({std::int64_t(s_.heads) * s_.queries, s_.queries, 1, 1})
                                             .set_data_type(fe::DataType_t::FLOAT));
    auto [d_q, d_k, d_v] =
        graph_->sdpa_backward(tensor(kQ, s_.heads, rows_.joined), tensor(kK, s_.kv_heads, rows_.joined),
                              tensor(kV, s_.kv_heads, rows_.joined), tensor(kOut, s_.heads, rows_.width),
                              tensor(kDOut, s_.heads, rows_.width), log_sums,
                              fe::graph::SDPA_backward_attributes()
                                  .set_name("attention's gradients")
                                  .set_causal_mask(true)
                                  .set_attn_scale(scale())
                                  .set_deterministic_algorithm(true));
    as_output(d_q, kDQ, s_.heads, rows_.joined);
    as_output(d_k, kDK, s_.kv_heads, rows_.joined);
    as_output(d_v, kDV, s_.kv_heads, rows_.joined);
    return graph_;
  }

 private:
  float scale() const { return 1 / std::sqrt(static_cast<float>(s_.head_dim)); }

  // [sequences, heads, queries, head_dim], in rows that are `stride` numbers apart.
  std::vector<std::int64_t> dims(int heads) const { return {sequences_, heads, s_.queries, s_.head_dim}; }
  std::vector<std::int64_t> strides(std::int64_t stride) const { return {s_.queries * stride, s_.head_dim, stride, 1}; }
  std::shared_ptr<Tensor> tensor(Id id, int heads, std::int64_t stride) {
    return graph_->tensor(Tensor().set_uid(id).set_dim(dims(heads)).set_stride(strides(stride)));
  }
  void as_output(const std::shared_ptr<Tensor>& t, Id id, int heads, std::int64_t stride) const {
    t->set_output(true).set_uid(id).set_dim(dims(heads)).set_stride(strides(stride));
  }

  const AttentionShape& s_;
  Rows rows_;
  int sequences_;
  std::shared_ptr<fe::graph::Graph> graph_ = std::make_shared<fe::graph::Graph>();
};

}  // namespace

class CudnnAttention::Plans {
 public:
  Plans(cudaStream_t stream, Scratch scratch) : stream_(stream), scratch_(std::move(scratch)) {}
  ~Plans() {
    if (handle_) cudnnDestroy(handle_);
  }
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;

  // Calls take(plan, first sequence of a call) for all calls of the plan; false: there is none.
  template <class Take>
  bool for_each_call(const AttentionShape& s, int sequences, bool backward, Take&& take) {
    if (!worth_cudnn(s, sequences)) return false;
    const auto key = std::tuple(s.heads, s.kv_heads, s.head_dim, s.queries, sequences, backward);
    auto found = plans_.find(key);
    if (found == plans_.end()) found = plans_.emplace(key, make(s, sequences, backward)).first;
    const Plan& plan = found->second;
    if (!plan.graph) return false;
    for (int first = 0; first < sequences; first += plan.sequences) take(plan, first);
    return true;
  }

  void run(const Plan& plan, Arrays arrays) const {
    auto done = plan.graph->execute(handle_, arrays, plan.scratch == 0 ? nullptr : scratch_(plan.scratch));
    if (done.is_bad()) throw Error(Cause::failed, "the GPU's attention (cuDNN): " + done.get_message());
  }

 private:
  // All sequences at once, or in as few equal parts as scratch allows.
  Plan make(const AttentionShape& s, int sequences, bool backward) {
    if (!handle_ &&
        (cudnnCreate(&handle_) != CUDNN_STATUS_SUCCESS || cudnnSetStream(handle_, stream_) != CUDNN_STATUS_SUCCESS)) {
      return {};
    }
    for (int parts = 1; parts <= sequences;) {
      const int count = sequences / parts;
      Description description(s, count);
      const auto graph = backward ? description.backward() : description.forward();
      if (graph->build(handle_, {fe::HeurMode_t::A}).is_bad()) return {};
      const auto scratch = static_cast<std::size_t>(graph->get_workspace_size());
      if (scratch <= kCudnnScratch) return {graph, count, scratch};
      parts = std::max(parts + 1, static_cast<int>(scratch * static_cast<std::size_t>(parts) / kCudnnScratch));
      while (parts < sequences && sequences % parts != 0) ++parts;
    }
    return {};
  }

  cudaStream_t stream_;
  Scratch scratch_;
  cudnnHandle_t handle_ = nullptr;
  std::map<std::tuple<int, int, int, int, int, bool>, Plan> plans_;
};

CudnnAttention::CudnnAttention(cudaStream_t stream, Scratch scratch)
    : plans_(std::make_unique<Plans>(stream, std::move(scratch))) {}
CudnnAttention::~CudnnAttention() = default;

bool CudnnAttention::forward(const AttentionShape& s, int sequences, const bf16* qkv, bf16* attended, float* log_sums) {
  const Rows rows(s);
  return plans_->for_each_call(s, sequences, false, [&](const Plan& plan, int first) {
    auto arrays = rows.of_qkv(qkv, {kQ, kK, kV}, first);
    arrays.emplace(kOut, rows.of(attended, first));
    arrays.emplace(kLogSums, rows.of(log_sums, first));
    plans_->run(plan, std::move(arrays));
  });
}

bool CudnnAttention::backward(const AttentionShape& s, int sequences, const bf16* qkv, const bf16* attended,
                              const float* log_sums, const bf16* d_attended, bf16* d_qkv) {
  const Rows rows(s);
  return plans_->for_each_call(s, sequences, true, [&](const Plan& plan, int first) {
    auto arrays = rows.of_qkv(qkv, {kQ, kK, kV}, first);
    arrays.merge(rows.of_qkv(d_qkv, {kDQ, kDK, kDV}, first));
    arrays.emplace(kOut, rows.of(attended, first));
    arrays.emplace(kDOut, rows.of(d_attended, first));
    arrays.emplace(kLogSums, rows.of(log_sums, first));
    plans_->run(plan, std::move(arrays));
  });
}

}  // namespace btm::cuda
