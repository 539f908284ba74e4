// The sum of the gradients of all replicas on all ranks, taken range by range while the backward pass goes on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "btm/train/ranks.h"

namespace btm {

// A thread of its own sums a range over this rank's replicas, in their order, and then over the ranks, as soon as every
// replica is through with it.
class GradientSum {
 public:
  // `gradients` has an array of `size` floats for each replica; block b of the model begins at blocks[b], and the last
  // one's range reaches to the end (final norm and head come with it). No blocks: all is summed at once.
  GradientSum(const Ranks& ranks, const std::vector<std::size_t>& blocks, std::size_t size,
              std::vector<float*> gradients);
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  // By each replica's thread, once for each block in an update, the last block first.
  void block_done(int block);
  // By each replica's thread, once in an update, last; `told`: it called block_done, which one without work does not.
  void replica_done(bool told);

  // Until the sums are in the first replica's array and all others are zero.
  void finish();

 private:
  struct Range {
    std::size_t begin = 0, size = 0;
  };
  void serve();
  bool await(std::size_t range);

  const Ranks& ranks_;
  std::vector<float*> gradients_;
  std::vector<Range> ranges_;  // in the order in which they are summed

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::size_t> replicas_done_;  // [ranges_]
  std::size_t summed_ = 0;                  // ranges of this update
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace btm
