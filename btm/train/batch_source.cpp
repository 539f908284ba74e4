#include "btm/train/batch_source.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/data/token_store.h"

namespace btm {

BatchSource::BatchSource(TrainingJob& job)
    : sequences_(static_cast<std::size_t>(batch_sequences(job))),
      length_(static_cast<std::size_t>(job.model.context)),
      first_(job.first_round * static_cast<std::int64_t>(job.data.size())),
      part_(job.part),
      parts_(job.parts),
      by_domain_(job.demix),
      vocab_size_(job.model.vocab_size),
      indices_(sequences_),
      sequence_(length_ + 1),
      inputs_(sequences_ * length_),
      targets_(sequences_ * length_),
      domains_(sequences_) {
  std::vector<const TokenStore*> domains;
  for (TrainingData& data : job.data) {
    const TokenStore& store = stores_.emplace_back(fs::path(data.folder) / "train");
    std::string sha256 = store.sha256();
    if (!data.train_sha256.empty() && data.train_sha256 != sha256) {
      throw input_error(
          "domain {}: the train tokens in {} are not those of run.yaml (SHA-256 {} instead of {}); put them "
          "back or start a new run",
          data.domain, data.folder, sha256, data.train_sha256);
    }
    data.train_sha256 = sha256;
    domains.push_back(&store);
    names_.push_back(data.domain);
  }
  stream_ = std::make_unique<SequenceStream>(domains, job.model.context,
                                             static_cast<std::uint64_t>(job.training.random_seed));
}

void BatchSource::read(std::int64_t update) {
  for (std::size_t i = 0; i < sequences_; ++i) {
    const std::int64_t dealt = update * static_cast<std::int64_t>(sequences_) + static_cast<std::int64_t>(i);
    indices_[i] = first_ + dealt * parts_ + part_;
  }
  if (by_domain_) std::ranges::stable_sort(indices_, {}, [this](std::int64_t i) { return stream_->domain(i); });
  for (std::size_t i = 0; i < sequences_; ++i) {
    stream_->read(indices_[i], sequence_);
    domains_[i] = static_cast<int>(stream_->domain(indices_[i]));
    check_tokens(sequence_, vocab_size_, names_[static_cast<std::size_t>(domains_[i])]);
    std::copy_n(sequence_.begin(), length_, inputs_.begin() + static_cast<std::ptrdiff_t>(i * length_));
    std::copy_n(sequence_.begin() + 1, length_, targets_.begin() + static_cast<std::ptrdiff_t>(i * length_));
  }
}

}  // namespace btm
