// Generation: sequences that grow token by token, with their key/value caches.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "btm/core/token.h"
#include "btm/model/narrow_weights.h"
#include "btm/model/parameters.h"

namespace btm {

// Works on one thread; decoders of several models may run at once.
class Decoder {
 public:
  // Room for so many sequences of up to `context` tokens (0: as many as the model sees), which grow independently.
  // Keeps references; the model, and the narrow weights that take the place of its matrices where they are given,
  // outlive it.
  explicit Decoder(const Model& model, int sequences = 1, const NarrowWeights* narrow = nullptr, int context = 0);
  ~Decoder();
  Decoder(Decoder&&) noexcept;

  // Runs the tokens after those of one sequence and gives the logits [vocab] after the last one, valid until the next
  // call. log_probs [tokens - 1], where wanted, gets log p(token | all before) of the second token on. Throws
  // Error(input) past that context.
  std::span<const float> append(std::span<const TokenId> tokens, int sequence = 0, std::span<float> log_probs = {});

  // The next token of each of these (different) sequences, in one pass over the weights: logits [sequences, vocab].
  std::span<const float> step(std::span<const int> sequences, std::span<const TokenId> tokens);

  int length(int sequence = 0) const;
  void reset(int sequence = 0);

  // How many tokens a sequence has room for where at most `wanted` are (0: as many as the model sees).
  static int room(const ModelConfig& config, std::int64_t wanted);

  // Bytes that a decoder takes beside the model.
  static std::size_t bytes(const ModelConfig& config, int sequences, int context);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace btm
