#include "btm/train/replicas.h"

#include <optional>

#include "btm/train/passes.h"

namespace btm {
namespace {

// How many threads a replica has, and the sequences of its calls: its part of the batch, cut into calls of nearly equal
// size.
struct Cut {
  Cut(const Replicas::Shape& shape, int threads, int ranks)
      : threads_together(threads_per_sequence(shape.parameters(), shape.sequences, shape.length, threads, ranks)),
        replicas(threads / threads_together) {
    const std::size_t part = Share{0, replicas * ranks}.largest(shape.sequences);
    const auto limit = static_cast<std::size_t>(sequences_per_call(shape.length) * threads_together);
    const std::size_t calls = (part + limit - 1) / limit;
    per_call = (part + calls - 1) / calls;
  }
  int threads_together, replicas;
  std::size_t per_call;
};

}  // namespace

std::size_t Replicas::Shape::parameters() const {
  return static_cast<std::size_t>(demix ? demix->size : parameter_count(config));
}

std::size_t Replicas::bytes(const Shape& shape, int threads, int ranks) {
  const Cut cut(shape, threads, ranks);
  return static_cast<std::size_t>(cut.replicas) *
         (Transformer::bytes(shape.config, static_cast<int>(cut.per_call), shape.length, shape.use, shape.operands,
                             cut.threads_together) +
          shape.parameters() * sizeof(float));
}

Replicas::Replicas(const Shape& shape, ThreadTeam& team, int rank, int ranks)
    : demix_(shape.demix),
      sequences_(shape.sequences),
      length_(static_cast<std::size_t>(shape.length)),
      rank_(rank),
      ranks_(ranks) {
  const Cut cut(shape, team.size(), ranks);
  threads_together_ = cut.threads_together;
  sequences_per_call_ = cut.per_call;
  std::vector<std::optional<Replica>> made(static_cast<std::size_t>(cut.replicas));
  team.run([&](int thread) {  // on its own thread, so that memory lies near its core (or the first's of those together)
    if (thread % threads_together_ != 0) return;
    made[static_cast<std::size_t>(replica_of(thread))].emplace(
        Replica{Transformer(shape.config, static_cast<int>(sequences_per_call_), shape.length, shape.use,
                            shape.operands, threads_together_),
                Buffer(shape.parameters())});
  });
  for (auto& replica : made) {
    replicas_.push_back(std::move(*replica));
    gradients_.push_back(replicas_.back().gradients.data());
  }
}

void Replicas::use(const PackedWeights* packed) {
  for (Replica& replica : replicas_) replica.transformer.use(packed);
}

Share Replicas::share_of(int replica) const {
  const int here = static_cast<int>(replicas_.size());
  return {rank_ * here + replica, ranks_ * here};
}

double Replicas::train(int thread, const float* parameters, const Batch& batch, const BlockDone& block_done) {
  const int replica = replica_of(thread), member = thread % threads_together_;
  auto& [transformer, gradients] = replicas_[static_cast<std::size_t>(replica)];
  const Share share = share_of(replica);
  const std::size_t end = share.end(sequences_);
  double loss = 0;
  std::size_t count = 0;
  for (std::size_t at = share.begin(sequences_); at < end; at += count) {
    count = call_size(at, end, sequences_per_call_, demix_ ? batch.domains : std::span<const int>());
    const std::size_t begin = at * length_, size = count * length_;
    if (demix_) transformer.use(demix_->offsets[static_cast<std::size_t>(batch.domains[at])], member);
    loss += transformer.train(parameters, batch.inputs.subspan(begin, size), batch.targets.subspan(begin, size),
                              batch.scale, gradients.data(), at + count == end ? block_done : nullptr, member);
  }
  return loss;
}

}  // namespace btm
