// The Transformer of all families: explicit forward and backward over buffers allocated once.
#pragma once

#include <memory>
#include <span>

#include "btm/core/token.h"
#include "btm/model/block_done.h"
#include "btm/model/packed_weights.h"
#include "btm/model/parameters.h"
#include "btm/model/weight_offsets.h"

namespace btm {

// One replica works on one thread, or on several that share its sequences; several replicas may share the parameters.
// No call allocates.
class Transformer {
 public:
  enum class Use {
    training,
    recomputing,  // training that keeps the blocks' inputs alone and computes the rest twice: the same gradients
    scoring,      // keeps nothing for a backward pass
  };

  // Buffers for `sequences` x `length` tokens at once; length <= config.context. `operands`: of all
  // products, forward and backward; what is no product is float32. `members`: threads that train it together;
  // one of several neither scores nor gives logits.
  Transformer(const ModelConfig& config, int sequences, int length, Use use, Operands operands = Operands::fp32,
              int members = 1);
  ~Transformer();
  static std::size_t bytes(const ModelConfig& config, int sequences, int length, Use use,
                           Operands operands = Operands::fp32, int members = 1);  // of those buffers
  Transformer(Transformer&&) noexcept;

  // From now on the weights lie at these offsets of the parameters (and of the gradients); by default those of
  // parameter_layout(). For models that share a part of their parameters, see DemixLayout. Each member calls it.
  void use(const WeightOffsets& offsets, int member = 0);

  // From now on matrices are taken from there (null: from the parameters again), packed for these operands. Whoever
  // changes the parameters packs them anew. Called once, while no member trains.
  void use(const PackedWeights* packed);

  // tokens, targets: [n, length] with n <= sequences. Returns the sum of -log p(target) in nats over targets that are
  // not kNoToken, and adds d(scale x sum)/d(parameters) to `gradients` (laid out as the parameters). `block_done`, if
  // any, is called with the number of each block, the last first, when its gradients and those of all behind it (final
  // norm, an untied head) are complete.
  // Of several members each thread calls it, as another `member`, with the same arguments but block_done; its loss is
  // that of a part of the rows, and the gradients are there when all have come back (block_done's when all have called
  // it).
  double train(const float* parameters, std::span<const TokenId> tokens, std::span<const TokenId> targets, float scale,
               float* gradients, const BlockDone& block_done = nullptr, int member = 0);

  // log p(targets[i] | tokens before) for every position into log_probs [n, length]; 0 where the target is kNoToken.
  void score(const float* parameters, std::span<const TokenId> tokens, std::span<const TokenId> targets,
             std::span<float> log_probs);

  // Logits of every position: [n, length, vocab].
  void logits(const float* parameters, std::span<const TokenId> tokens, std::span<float> logits);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace btm
