// The ensemble as one language model for generation: every expert with its own key/value cache, their next-token
// distributions mixed by the domain posterior, which takes in every token (the prompt's included).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "btm/core/thread_team.h"
#include "btm/mixture/member.h"
#include "btm/mixture/posterior.h"
#include "btm/model/decoder.h"

namespace btm {

// The number format of the weights that are multiplied by; sums are float32 in all.
enum class GenerationPrecision { automatic, fp32, bf16, int8 };
inline std::array<std::pair<GenerationPrecision, std::string_view>, 4> names(GenerationPrecision) {
  return {{{GenerationPrecision::automatic, "auto"},
           {GenerationPrecision::fp32, "fp32"},
           {GenerationPrecision::bf16, "bf16"},
           {GenerationPrecision::int8, "int8"}}};
}

struct EnsembleOptions {
  int sequences = 1;        // that grow at once
  std::int64_t tokens = 0;  // that each has at most, as far as the models see so many; 0: as many as they see
  int threads = 1;          // experts run side by side
  std::int64_t memory = 0;  // bytes for weights, caches and buffers together; 0: no limit
  GenerationPrecision precision = GenerationPrecision::automatic;  // bf16 for a checkpoint of that, else fp32
};

// Weights are mapped from disk where they can be (map_model). With a limit on memory, experts that don't fit beside the
// others are read again for every token, in float32, and given back at once; those of largest prior stay.
class Ensemble {
 public:
  // Any models of one vocabulary; a single one is a plain language model. Throws Error(input): other vocabularies, a
  // limit on memory below what the caches and one expert for each thread need.
  Ensemble(const std::vector<Member>& members, const MixtureWeights& weights, const EnsembleOptions& options);

  std::size_t experts() const { return experts_.size(); }
  const std::string& name(std::size_t expert) const { return experts_[expert].name; }
  int sequences() const { return static_cast<int>(states_.size()); }
  int context() const { return context_; }  // the shortest of the experts', or what a sequence has room for
  int vocab_size() const { return vocab_; }
  std::size_t resident() const { return resident_; }  // experts whose weights stay in memory

  void begin(int sequence, std::span<const TokenId> prompt);  // forgets what the sequence was; prompt not empty
  // The next token of each of these (different) sequences.
  void step(std::span<const int> sequences, std::span<const TokenId> tokens);
  // When there is no room for one more: `tokens`, the end of the sequence with its next token, becomes the new context.
  // The posterior goes on.
  void reread(int sequence, std::span<const TokenId> tokens);

  // The token into the posterior alone, of a text that ends with it: step() and reread() do so, too.
  void observe(int sequence, TokenId token);

  int length(int sequence) const { return states_[static_cast<std::size_t>(sequence)].length; }
  // Of the next token [vocab]: log-probabilities of the mixture, or the logits of a single model. Until the next call.
  std::span<const float> scores(int sequence) const;
  void weights(int sequence, std::span<double> out) const;  // the posterior before the next token, [experts]
  std::int64_t read() const { return read_; }               // tokens so far, the ones that were read again, too
  std::int64_t runs() const { return runs_; }               // the same, each as often as experts have run it

 private:
  struct Expert {
    std::string name;
    std::unique_ptr<Model> model;  // where the decoder finds it
    std::optional<NarrowFormat> format;
    std::unique_ptr<NarrowWeights> narrow;
    std::optional<Decoder> decoder;
    Buffer logits;      // [sequences, vocab], of the next token
    bool stays = true;  // in memory
  };
  struct State {
    Posterior posterior;
    Buffer scores;  // [vocab]
    int length = 0;
  };

  std::int64_t bytes_beside(const std::vector<Member>& members, const EnsembleOptions& options) const;
  void add(const Member& member, const EnsembleOptions& options);
  void choose_resident(std::int64_t room, std::int64_t limit);
  template <class Work>
  void for_each_expert(Work&& work);
  void read(int sequence, std::span<const TokenId> tokens, std::span<float> log_probs);
  void mix(int sequence);
  float* logits(Expert& expert, int sequence) const;

  int context_ = 0, vocab_ = 0;
  MixtureWeights settings_;
  std::vector<Expert> experts_;
  std::vector<State> states_;  // [sequences]
  std::size_t resident_ = 0;
  std::int64_t read_ = 0, runs_ = 0;
  ThreadTeam team_;
};

}  // namespace btm
