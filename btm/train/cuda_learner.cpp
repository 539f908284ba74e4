#include "btm/train/cuda_learner.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/share.h"
#include "btm/model/cuda/cudnn_attention.h"
#include "btm/model/cuda/event.h"
#include "btm/model/cuda/graph.h"
#include "btm/model/cuda/lt_products.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/products.h"
#include "btm/model/cuda/transformer.h"
#include "btm/model/forward.h"
#include "btm/train/adamw.h"
#include "btm/train/adamw_cuda.h"
#include "btm/train/gradient_sum_cuda.h"
#include "btm/train/parameters_cuda.h"
#include "btm/train/passes.h"
#include "btm/train/schedule.h"
#include "btm/train/score_cuda.h"
#include "btm/train/staged_cuda.h"

namespace btm {
namespace {

constexpr int kTokensPerGpuCall = 32768;  // enough rows to fill the largest GPUs
// What flash attention takes beside our buffers, bytes: for each number of [tokens, width], and for each of a
// sequence's head where heads are too few for all of the GPU's multiprocessors, which then share them and add up in the
// end.
constexpr std::size_t kAttentionBytes = 12, kSharedHeadBytes = 4 * 148;

// Sequences of a call, of a rank's share of the batch; of a domain's, if there are `domains` that need calls of their
// own.
int per_call(const ModelConfig& config, int batch, int ranks, int domains, cuda::Transformer::Use use) {
  const int parts = std::max(ranks, domains), sequences = (batch + parts - 1) / parts;
  const double memory = cuda::activation_memory();
  int calls = std::max(1, static_cast<int>(std::int64_t(sequences) * config.context / kTokensPerGpuCall));
  while (true) {
    const int count = (sequences + calls - 1) / calls;
    if (count == 1 || static_cast<double>(cuda::Transformer::bytes(config, count, config.context, use)) <= memory)
      return count;
    ++calls;
  }
}

int domains_of(const DemixLayout* demix) {
  return demix ? static_cast<int>(demix->offsets.size()) : 1;
}

// A batch on the host, cut into calls.
struct StagedBatch {
  struct Call {
    int domain;
    cuda::StagedSequences sequences;
  };
  std::vector<Call> calls;
  std::size_t used = 0;  // of the calls
};

class CudaLearner : public Learner {
 public:
  CudaLearner(Model& model, const TrainingSettings& settings, int sequences, std::int64_t updates, const Ranks& ranks,
              const DemixLayout* demix);

  UpdateReport learn(std::span<const TokenId> inputs, std::span<const TokenId> targets, std::span<const int> domains,
                     std::int64_t update, const std::function<void()>& before_change) override;
  void prepare(std::span<const TokenId> inputs, std::span<const TokenId> targets,
               std::span<const int> domains) override;
  void score(int domain, int window, std::span<const TokenId> tokens, std::span<float> log_probs) override;

  void to_host() override;
  void from_host() override;
  std::span<float> mean() override { return host_mean_.span(); }
  std::span<float> square() override { return host_square_.span(); }

 private:
  void select(int domain);
  void accumulate(std::size_t tokens);
  void wait() { cuda::check_cuda(cudaStreamSynchronize(stream_), "its work"); }
  template <class T>
  void copy(T* to, const T* from, std::size_t count, cudaMemcpyKind kind) {
    cuda::check_cuda(cudaMemcpyAsync(to, from, count * sizeof(T), kind, stream_), "a copy");
  }

  Model& model_;
  TrainingSettings settings_;
  std::int64_t updates_;
  const Ranks& ranks_;
  const DemixLayout* demix_;
  int per_call_;  // sequences
  std::unique_ptr<cuda::Products> products_ = cuda::make_products();
  cudaStream_t stream_ = products_->stream();
  std::size_t size_;  // parameters
  Buffer host_mean_, host_square_;
  cuda::DeviceParameters parameters_;
  cuda::DeviceArray<float> gradients_, mean_, square_;
  cuda::DeviceArray<double> scalars_, norm_parts_;  // loss, norm
  cuda::PinnedArray<double> read_;                  // the same, here
  cuda::Event read_done_;
  std::vector<AdamwBlock> host_blocks_;
  cuda::DeviceArray<AdamwBlock> blocks_;
  cuda::Transformer transformer_;
  StagedBatch now_, next_;
  bool prepared_ = false;                                 // next_ is
  std::optional<cuda::GradientSum> sum_;                  // over ranks; none with one rank
  std::map<std::pair<int, bool>, cuda::Graph> training_;  // by domain, and whether the sum comes with it
  cuda::Scorer scorer_;
};

CudaLearner::CudaLearner(Model& model, const TrainingSettings& settings, int sequences, std::int64_t updates,
                         const Ranks& ranks, const DemixLayout* demix)
    : model_(model),
      settings_(settings),
      updates_(updates),
      ranks_(ranks),
      demix_(demix),
      per_call_(per_call(model.config, sequences, ranks.size(), domains_of(demix), use_of(settings))),
      size_(model.parameters.size()),
      host_mean_(size_),
      host_square_(size_),
      parameters_(size_),
      gradients_(size_),
      mean_(size_),
      square_(size_),
      scalars_(2),
      norm_parts_(cuda::kNormParts),
      read_(2),
      host_blocks_(adamw_blocks(demix ? demix->slices : parameter_layout(model.config), cuda::kAdamwBlock)),
      blocks_(host_blocks_.size()),
      transformer_(model.config, per_call_, model.config.context, use_of(settings), *products_),
      scorer_(transformer_) {
  if (ranks.size() > 1) {
    sum_.emplace(ranks, gradient_ranges(model.config, size_, demix), gradients_.data(), scalars_.data());
  }
  copy(blocks_.data(), host_blocks_.data(), host_blocks_.size(), cudaMemcpyHostToDevice);
  from_host();
}

void CudaLearner::from_host() {
  copy(mean_.data(), host_mean_.data(), size_, cudaMemcpyHostToDevice);
  copy(square_.data(), host_square_.data(), size_, cudaMemcpyHostToDevice);
  parameters_.load(stream_, model_.parameters.span());
  wait();
}

void CudaLearner::to_host() {
  copy(model_.parameters.data(), parameters_.masters(), size_, cudaMemcpyDeviceToHost);
  copy(host_mean_.data(), mean_.data(), size_, cudaMemcpyDeviceToHost);
  copy(host_square_.data(), square_.data(), size_, cudaMemcpyDeviceToHost);
  wait();
}

void CudaLearner::select(int domain) {
  if (demix_) transformer_.use(demix_->offsets[static_cast<std::size_t>(domain)]);
}

// This rank's part of the batch. The GPU is done with what was in next_.
void CudaLearner::prepare(std::span<const TokenId> inputs, std::span<const TokenId> targets,
                          std::span<const int> domains) {
  const auto length = static_cast<std::size_t>(model_.config.context);
  const std::size_t sequences = inputs.size() / length;
  const Share share{ranks_.rank(), ranks_.size()};
  const std::size_t begin = share.begin(sequences), end = share.end(sequences);
  next_.used = 0;
  for (std::size_t at = begin, count = 0; at < end; at += count, ++next_.used) {
    count = call_size(at, end, static_cast<std::size_t>(per_call_), demix_ ? domains : std::span<const int>());
    if (next_.used == next_.calls.size()) next_.calls.push_back({0, {transformer_, model_.config}});
    StagedBatch::Call& call = next_.calls[next_.used];
    call.domain = demix_ ? domains[at] : 0;
    call.sequences.fill(inputs.subspan(at * length, count * length), targets.subspan(at * length, count * length));
  }
  prepared_ = true;
}

// The gradients and the loss of the batch now_, of so many tokens with those of other ranks, into gradients_ and
// scalars_.
void CudaLearner::accumulate(std::size_t tokens) {
  const auto scale = static_cast<float>(1.0 / static_cast<double>(tokens));
  const BlockDone tell = [this](int block) { sum_->block_done(block, stream_); };
  // NCCL wants a sum in a graph on all ranks or on none: DEMix's ranks meet a domain at other times, and one without
  // sequences has no graph.
  const std::size_t sequences = tokens / static_cast<std::size_t>(model_.config.context);
  const bool sums_in_graph = sum_ && !demix_ && sequences >= static_cast<std::size_t>(ranks_.size());
  for (std::size_t i = 0; i < now_.used; ++i) {
    const StagedBatch::Call& call = now_.calls[i];
    select(call.domain);
    transformer_.load(call.sequences.batch());
    const bool sums = sums_in_graph && i + 1 == now_.used;
    training_[{call.domain, sums}].run(stream_, [&] {
      transformer_.train(parameters_.both(), scale, gradients_.data(), scalars_.data(), sums ? tell : nullptr);
      if (sums) sum_->finish(stream_);
    });
  }
  if (sum_ && !sums_in_graph) sum_->finish(stream_);
}

UpdateReport CudaLearner::learn(std::span<const TokenId> inputs, std::span<const TokenId> targets,
                                std::span<const int> domains, std::int64_t update,
                                const std::function<void()>& before_change) {
  cuda::check_cuda(cudaMemsetAsync(scalars_.data(), 0, 2 * sizeof(double), stream_), "to clear");
  if (!prepared_) prepare(inputs, targets, domains);
  prepared_ = false;
  std::swap(now_, next_);
  accumulate(inputs.size());
  UpdateReport report;
  report.learning_rate = learning_rate(settings_, update, updates_);
  cuda::gradient_norm(stream_, size_, gradients_.data(), norm_parts_.data(), scalars_.data() + 1);
  copy(read_.data(), scalars_.data(), 2, cudaMemcpyDeviceToHost);
  read_done_.record(stream_);
  cuda::adamw_update(stream_, adamw_scalars(settings_, report.learning_rate, update), settings_.clip,
                     scalars_.data() + 1, static_cast<int>(blocks_.size()), blocks_.data(), parameters_.masters(),
                     parameters_.rounded(), mean_.data(), square_.data(), gradients_.data());
  if (before_change) before_change();
  read_done_.wait();  // not for AdamW: the GPU is still at it when the next update is given to it
  report.loss = read_.data()[0] / static_cast<double>(inputs.size());
  report.gradient_norm = read_.data()[1];
  return report;
}

void CudaLearner::score(int domain, int window, std::span<const TokenId> tokens, std::span<float> log_probs) {
  select(domain);
  scorer_.score(parameters_.both(), demix_ ? domain : 0, window, tokens, log_probs);
}

// What attention and products take beside our buffers, of `count` sequences.
std::size_t scratch_bytes(const ModelConfig& config, int count) {
  const AttentionShape shape = attention_shape(config, config.context, Operands::bf16);
  const std::size_t rows = static_cast<std::size_t>(count) * static_cast<std::size_t>(config.context);
  std::size_t attention =
      kAttentionBytes * rows * static_cast<std::size_t>(config.width) +
      kSharedHeadBytes * static_cast<std::size_t>(config.context) * static_cast<std::size_t>(head_dim(config));
  if (cuda::worth_cudnn(shape, count)) attention = std::max(attention, cuda::cudnn_scratch(shape, count));
  std::size_t gradient = 0;  // of the largest weights, kept while their products are timed
  for (const LinearOffsets& l : matrices_of(weight_offsets(config))) {
    if (!cuda::is_timed(l.in, l.out, static_cast<int>(rows))) continue;
    gradient = std::max(gradient, static_cast<std::size_t>(l.in) * static_cast<std::size_t>(l.out) * sizeof(float));
  }
  return attention + gradient;
}

}  // namespace

std::size_t cuda_learner_bytes(const ModelConfig& config, const TrainingSettings& settings, int sequences, int ranks,
                               int domains) {
  const cuda::Transformer::Use use = use_of(settings);
  const int count = per_call(config, sequences, ranks, domains, use);
  return kCudaBytesPerParameter * static_cast<std::size_t>(parameter_count(config)) +
         cuda::Transformer::bytes(config, count, config.context, use) + scratch_bytes(config, count);
}

std::unique_ptr<Learner> make_cuda_learner(Model& model, const TrainingSettings& settings, int sequences,
                                           std::int64_t updates, const Ranks& ranks, const DemixLayout* demix) {
  cuda::check_cuda(cudaSetDevice(ranks.local_rank() % find_gpu().value_or(Gpu{}).count), "to be used");
  return std::make_unique<CudaLearner>(model, settings, sequences, updates, ranks, demix);
}

}  // namespace btm
