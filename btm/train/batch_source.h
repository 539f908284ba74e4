// The batches of a job.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "btm/core/token.h"
#include "btm/data/sequences.h"
#include "btm/train/job.h"

namespace btm {

// Batch u is sequences [u * n, (u + 1) * n) of the job's stream from its first round on, n = batch_sequences(job); of a
// part of the data, of those that were dealt to it. For DEMix the sequences of a domain stand together.
class BatchSource {
 public:
  // Opens the train tokens and fills in the hashes that the job leaves empty. Throws Error(input): missing or broken
  // files, data of another hash than the job's, a domain too small for one sequence.
  explicit BatchSource(TrainingJob& job);

  void read(std::int64_t update);  // throws Error(input) for tokens that are not of the vocabulary
  std::span<const TokenId> inputs() const { return inputs_; }    // [sequences, context]
  std::span<const TokenId> targets() const { return targets_; }  // [sequences, context]
  std::span<const int> domains() const { return domains_; }      // [sequences], of job.data

 private:
  std::size_t sequences_, length_;
  std::int64_t first_, part_, parts_;  // first_: in the stream
  bool by_domain_;
  int vocab_size_;
  std::deque<TokenStore> stores_;
  std::unique_ptr<SequenceStream> stream_;
  std::vector<std::int64_t> indices_;  // [sequences], in the stream
  std::vector<TokenId> sequence_, inputs_, targets_;
  std::vector<int> domains_;
  std::vector<std::string> names_;  // of the domains
};

}  // namespace btm
