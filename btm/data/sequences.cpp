#include "btm/data/sequences.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "btm/core/error.h"
#include "btm/core/random.h"

namespace btm {
namespace {

// One domain as an endless line of tokens: epoch after epoch of its documents, shuffled anew each time.
class EndlessDomain {
 public:
  EndlessDomain(const TokenStore& store, std::uint64_t seed, std::size_t number)
      : store_(&store), seed_(seed), number_(number) {
    if (store.documents() > std::numeric_limits<std::uint32_t>::max()) {
      throw input_error("{}: {} documents; at most 2^32 - 1 can be shuffled", store.prefix().string(),
                        store.documents());
    }
  }

  void copy(std::int64_t start, std::span<TokenId> out) {
    while (!out.empty()) {
      enter(start / store_->tokens());
      const std::int64_t offset = start % store_->tokens();
      const auto size = std::min(static_cast<std::int64_t>(out.size()), store_->tokens() - offset);
      copy_within(offset, out.first(static_cast<std::size_t>(size)));
      out = out.subspan(static_cast<std::size_t>(size));
      start += size;
    }
  }

 private:
  void enter(std::int64_t epoch) {
    if (epoch == epoch_) return;
    order_.resize(static_cast<std::size_t>(store_->documents()));
    std::iota(order_.begin(), order_.end(), 0u);
    Random random(seed_, fmt::format("domain {} epoch {}", number_, epoch));
    shuffle(std::span(order_), random);
    ends_.resize(order_.size());
    std::int64_t end = 0;
    for (std::size_t i = 0; i < order_.size(); ++i) ends_[i] = end += store_->length(order_[i]);
    epoch_ = epoch;
  }

  void copy_within(std::int64_t offset, std::span<TokenId> out) const {
    auto place = static_cast<std::size_t>(std::ranges::upper_bound(ends_, offset) - ends_.begin());
    while (!out.empty()) {
      const std::int64_t length = store_->length(order_[place]);
      const std::int64_t start = offset - (ends_[place] - length);
      const auto size = std::min(out.size(), static_cast<std::size_t>(length - start));
      store_->copy(order_[place], start, out.first(size));
      out = out.subspan(size);
      offset += static_cast<std::int64_t>(size);
      ++place;
    }
  }

  const TokenStore* store_;
  std::uint64_t seed_;
  std::size_t number_;
  std::int64_t epoch_ = -1;           // of what follows
  std::vector<std::uint32_t> order_;  // documents as they are laid out
  std::vector<std::int64_t> ends_;    // where each of them ends, in tokens
};

}  // namespace

struct SequenceStream::Impl {
  std::vector<EndlessDomain> domains;
  int length;
  std::uint64_t seed;
  std::int64_t round = -1;
  std::vector<std::uint32_t> turns;  // the domains of this round, in their order
};

SequenceStream::SequenceStream(const std::vector<const TokenStore*>& domains, int length, std::uint64_t seed)
    : impl_(std::make_unique<Impl>()) {
  if (domains.empty() || length < 1) throw failure("a stream of {} domains and length {}", domains.size(), length);
  impl_->length = length;
  impl_->seed = seed;
  for (const TokenStore* store : domains) {
    if (store->tokens() < length + std::int64_t{1}) {
      throw input_error("{}: {} tokens, and one sequence needs {}: give more text, or make model.context smaller",
                        store->prefix().string(), store->tokens(), length + 1);
    }
    impl_->domains.emplace_back(*store, seed, impl_->domains.size());
  }
  impl_->turns.resize(domains.size());
}

SequenceStream::~SequenceStream() = default;

void SequenceStream::read(std::int64_t index, std::span<TokenId> tokens) {
  if (index < 0 || tokens.size() != static_cast<std::size_t>(impl_->length) + 1) {
    throw failure("sequence {} read into {} tokens, expected {}", index, tokens.size(), impl_->length + 1);
  }
  const std::int64_t round = index / static_cast<std::int64_t>(impl_->domains.size());
  impl_->domains[domain(index)].copy(round * impl_->length, tokens);
}

std::size_t SequenceStream::domain(std::int64_t index) {
  const auto domains = static_cast<std::int64_t>(impl_->domains.size());
  const std::int64_t round = index / domains;
  if (round != impl_->round) {
    std::iota(impl_->turns.begin(), impl_->turns.end(), 0u);
    Random random(impl_->seed, fmt::format("round {}", round));
    shuffle(std::span(impl_->turns), random);
    impl_->round = round;
  }
  return impl_->turns[static_cast<std::size_t>(index % domains)];
}

}  // namespace btm
