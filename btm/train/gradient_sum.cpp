#include "btm/train/gradient_sum.h"

#include <algorithm>

#include "btm/train/adamw_kernels.h"

namespace btm {

std::vector<GradientRange> gradient_ranges(const ModelConfig& config, std::size_t size, const DemixLayout* demix) {
  if (demix) return {{0, size}};
  const WeightOffsets offsets = weight_offsets(config);
  std::vector<GradientRange> ranges;
  std::size_t end = size;
  for (auto block = offsets.blocks.rbegin(); block != offsets.blocks.rend(); ++block) {
    const auto begin = static_cast<std::size_t>(block->attention_norm.gain);
    ranges.push_back({begin, end - begin});
    end = begin;
  }
  ranges.push_back({0, end});
  return ranges;
}

GradientSum::GradientSum(const Ranks& ranks, std::vector<GradientRange> ranges, std::vector<float*> gradients,
                         int threads)
    : ranks_(ranks),
      gradients_(std::move(gradients)),
      ranges_(std::move(ranges)),
      threads_(static_cast<std::size_t>(threads)),
      threads_done_(ranges_.size()) {
  thread_ = std::thread([this] { serve(); });
}

GradientSum::~GradientSum() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void GradientSum::block_done(int block) {
  {
    const std::lock_guard lock(mutex_);
    ++threads_done_[range_of(block, ranges_)];
  }
  changed_.notify_all();
}

void GradientSum::thread_done(bool told) {
  {
    const std::lock_guard lock(mutex_);
    const auto first = told ? std::prev(threads_done_.end()) : threads_done_.begin();
    std::for_each(first, threads_done_.end(), [](std::size_t& count) { ++count; });
  }
  changed_.notify_all();
}

void GradientSum::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return summed_ == ranges_.size(); });
  summed_ = 0;
  std::ranges::fill(threads_done_, 0);
}

bool GradientSum::await(std::size_t range) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stop_ || (summed_ == range && threads_done_[range] == threads_); });
  return !stop_;
}

void GradientSum::serve() {
  for (std::size_t i = 0;; i = (i + 1) % ranges_.size()) {
    if (!await(i)) return;
    const auto [begin, size] = ranges_[i];
    reduce_gradients(gradients_, begin, size);
    ranks_.sum(std::span(gradients_.front() + begin, size));
    {
      const std::lock_guard lock(mutex_);
      ++summed_;
    }
    changed_.notify_all();
  }
}

}  // namespace btm
