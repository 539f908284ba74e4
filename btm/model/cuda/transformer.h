// The Transformer of all families on a GPU: explicit forward and backward over buffers allocated once, as on the CPU
// (../transformer.h), with weights, activations and their gradients in bf16; residual stream, sums, norms, loss and the
// gradients of weights are float32.
#pragma once

#include <cuda_runtime.h>

#include <vector>

#include "btm/core/arena.h"
#include "btm/core/token.h"
#include "btm/model/bf16.h"
#include "btm/model/config.h"
#include "btm/model/cuda/embedding.h"
#include "btm/model/cuda/memory.h"
#include "btm/model/cuda/products.h"
#include "btm/model/transformer.h"
#include "btm/model/weight_offsets.h"

namespace btm::cuda {

// A model's parameters on the GPU, twice: both flat arrays are laid out as parameter_layout().
struct Parameters {
  const float* masters;
  const bf16* rounded;  // for the products; to the nearest
};

class Transformer {
 public:
  using Use = btm::Transformer::Use;  // each can score

  // Buffers for `sequences` x `length` tokens at once, length <= config.context. Throws Error(input) for shapes that
  // the kernels don't do: widths must be multiples of 8, heads of at most 256 numbers. All its work goes to the stream
  // of `products`, which outlives it.
  Transformer(const ModelConfig& config, int sequences, int length, Use use, Products& products);
  static std::size_t bytes(const ModelConfig& config, int sequences, int length, Use use);  // of those buffers

  int sequences() const { return sequences_; }
  int length() const { return length_; }
  cudaStream_t stream() const { return stream_; }

  void use(const WeightOffsets& offsets) { offsets_ = offsets; }  // see btm::Transformer::use

  // What the next pass works on: tokens, targets [sequences x length], on the host until the stream has come here.
  struct Batch {
    const TokenId *tokens, *targets;
    const int *order, *starts;  // of sort_by_token(); needed by train()
  };
  void load(const Batch& batch);

  // Adds d(scale x sum of -log p(target))/d(parameters) to `gradients`, and the sum itself to *loss, both on the GPU.
  // `block_done`, if any, is called behind each block, when the stream was given the work.
  void train(const Parameters& parameters, float scale, float* gradients, double* loss,
             const BlockDone& block_done = nullptr);

  // log p(target) of every position; 0 where the target is kNoToken. On the GPU, until the next pass. [sequences x
  // length]
  const float* score(const Parameters& parameters);

 private:
  struct Block {
    float* input;                 // [rows, width]
    bf16* attention_normed;       // [rows, width]
    float* attention_statistics;  // [rows, 2]
    bf16* qkv;                    // [rows, qkv_width]
    bf16* attended;               // [rows, width]
    float* log_sums;              // [rows x heads]
    float* middle;                // [rows, width]
    bf16* mlp_normed;             // [rows, width]
    float* mlp_statistics;        // [rows, 2]
    bf16* up;                     // [rows, up_width]
    bf16* activated;              // [rows, hidden]
  };
  struct Buffers {
    std::vector<Block> blocks;
    float *final_sum, *final_statistics;
    bf16 *final_normed, *projected;       // [rows, width]; what a block's last product adds to the stream
    bf16* logits;                         // [head_rows, padded(vocab)]
    float* log_probs;                     // [rows]
    float* d_stream;                      // [rows, width]: the gradient of the residual stream, and
    bf16 *d_rounded, *d_narrow, *d_wide;  // its bf16; [rows, width]; [rows, widest]
    float *partial, *rope;                // scratch of sums over rows; the table
    TokenId *tokens, *targets;            // [rows]
    int *order, *starts;                  // [rows], [rows + 1]
  };
  static Buffers lay_out(Arena& arena, const ModelConfig& config, int sequences, int length, Use use);

  // A linear layer's products on all rows; see products.h.
  void forward(const LinearOffsets& l, const Parameters& p, const bf16* x, bf16* y);
  void backward_input(const LinearOffsets& l, const Parameters& p, const bf16* dy, bf16* dx);
  void backward_weight(const LinearOffsets& l, const bf16* x, const bf16* dy, float* gradients);

  void forward(const Parameters& p);
  void to_qkv(const Parameters& p, int layer, const float* stream, const bf16* delta);
  void attend_and_feed_forward(const Parameters& p, int layer);
  void recompute(const Parameters& p, int layer);
  void head(const Parameters& p, float scale, float* gradients);
  void back_through_feed_forward(const Parameters& p, int layer, float* gradients);
  void back_through_attention(const Parameters& p, int layer, float* gradients);
  void back_through_norm(const Parameters& p, const NormOffsets& at, const float* sum, const float* statistics,
                         std::int64_t delta_bias, float* gradients);

  ModelConfig config_;  // resolved
  WeightOffsets offsets_;
  NormShape norm_;
  Use use_;
  Products& products_;
  cudaStream_t stream_;
  int sequences_, length_, rows_;
  DeviceArray<char> storage_;
  Buffers b_;
};

}  // namespace btm::cuda
