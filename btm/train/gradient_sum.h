// The sum of all gradients of all ranks, taken range by range while the backward pass goes on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "btm/model/demix.h"
#include "btm/train/ranks.h"

namespace btm {

struct GradientRange {
  std::size_t begin = 0, size = 0;
};
// What is summed at once of `size` gradients, in the order in which the backward pass is through with it: the blocks,
// last first (final norm and head come with that one), and what lies before them. With DEMix, whose blocks have
// parameters in several places, all is one range.
std::vector<GradientRange> gradient_ranges(const ModelConfig& config, std::size_t size, const DemixLayout* demix);
// Which of them is that block's.
inline std::size_t range_of(int block, const std::vector<GradientRange>& ranges) {
  return ranges.size() - 2 - static_cast<std::size_t>(block);
}

// A thread of its own sums a range over this rank's arrays, in their order, and then over the ranks, as soon as every
// thread is through with it.
class GradientSum {
 public:
  // The ranges cover each of `gradients`, arrays that `threads` threads add to.
  GradientSum(const Ranks& ranks, std::vector<GradientRange> ranges, std::vector<float*> gradients, int threads);
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  // By each thread, once for each block in an update, the last block first.
  void block_done(int block);
  // By each thread, once in an update, last; `told`: it called block_done, which one without work does not.
  void thread_done(bool told);

  // Until the sums are in the first array and all others are zero.
  void finish();

 private:
  void serve();
  bool await(std::size_t range);

  const Ranks& ranks_;
  std::vector<float*> gradients_;
  std::vector<GradientRange> ranges_;
  std::size_t threads_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::size_t> threads_done_;  // [ranges_]
  std::size_t summed_ = 0;                 // ranges of this update
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace btm
