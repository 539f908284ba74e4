// Replicas of a model that add up the gradients of a batch side by side, on the threads of a team and on ranks.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "btm/core/buffer.h"
#include "btm/core/share.h"
#include "btm/core/thread_team.h"
#include "btm/model/demix.h"
#include "btm/model/transformer.h"

namespace btm {

// Each thread has a replica with gradients of its own, or some threads have one together (threads_per_sequence()).
// Replica r of n on all ranks takes sequences [sequences * r / n, sequences * (r + 1) / n) of a batch, a few per call.
class Replicas {
 public:
  struct Shape {
    const ModelConfig& config;
    const DemixLayout* demix;  // null: a plain model
    std::size_t sequences;     // of a batch
    int length;                // of each
    Transformer::Use use;
    Operands operands;

    std::size_t parameters() const;
  };
  static std::size_t bytes(const Shape& shape, int threads, int ranks);  // of this rank's

  // On this rank of `ranks`. The team and `demix` outlive them.
  Replicas(const Shape& shape, ThreadTeam& team, int rank = 0, int ranks = 1);

  void use(const PackedWeights* packed);  // see Transformer::use

  struct Batch {
    std::span<const TokenId> inputs, targets;  // [sequences, length]
    std::span<const int> domains;              // [sequences] of DEMix; those of a domain stand together
    float scale;                               // of the gradients
  };
  // Called by each thread of the team: its part of Transformer::train. `block_done` is called in the last call of the
  // part, if there is any.
  double train(int thread, const float* parameters, const Batch& batch, const BlockDone& block_done = nullptr);
  bool has_sequences(int thread) const { return share_of(replica_of(thread)).size(sequences_) > 0; }

  // An array for each replica, which the batches' gradients are added to; their sum is the batches'.
  std::span<float* const> gradients() const { return gradients_; }

 private:
  struct Replica {
    Transformer transformer;
    Buffer gradients;
  };
  int replica_of(int thread) const { return thread / threads_together_; }
  Share share_of(int replica) const;  // of the batch, for one of this rank's

  const DemixLayout* demix_;
  std::size_t sequences_, length_;
  int rank_, ranks_, threads_together_;  // the last: of a replica
  std::size_t sequences_per_call_;
  std::vector<Replica> replicas_;
  std::vector<float*> gradients_;
};

}  // namespace btm
