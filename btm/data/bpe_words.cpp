#include "btm/data/bpe_words.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "btm/core/error.h"
#include "btm/data/pretokenizer.h"
#include "btm/data/utf8.h"

namespace btm {
namespace {

constexpr std::size_t kWordBatchBytes = 1 << 20;

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using Counts = std::unordered_map<std::string, std::int64_t, TextHash, std::equal_to<>>;
using Batch = std::vector<std::string>;

void count_batch(const PreTokenizer& words, const Batch& batch, Counts& counts) {
  const auto take = [&](std::string_view word) {
    if (const auto known = counts.find(word); known != counts.end()) {
      ++known->second;
    } else {
      counts.emplace(word, 1);
    }
  };
  for (const std::string& text : batch) words.split(text, take);
}

// Threads that count batches from a short queue; ended by the destructor. What one of them throws, add() or finish()
// does.
class Counters {
 public:
  explicit Counters(int threads) : counts_(static_cast<std::size_t>(threads)) {
    try {
      for (Counts& counts : counts_) threads_.emplace_back([this, &counts] { work(counts); });
    } catch (const std::system_error& e) {
      stop();
      throw input_error("{} threads can't be started: {}; use fewer", threads, e.what());
    }
  }
  ~Counters() { stop(); }
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  void add(Batch batch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return thrown_ || queue_.size() < 2 * counts_.size(); });
    if (thrown_) std::rethrow_exception(thrown_);
    queue_.push_back(std::move(batch));
    changed_.notify_all();
  }

  // Waits for all batches; the counts of each thread.
  std::vector<Counts> finish() {
    stop();
    if (thrown_) std::rethrow_exception(thrown_);
    return std::move(counts_);
  }

 private:
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    threads_.clear();
  }

  void work(Counts& counts) {
    try {
      count(counts);
    } catch (...) {  // no memory
      const std::lock_guard lock(mutex_);
      thrown_ = std::current_exception();
      changed_.notify_all();
    }
  }

  void count(Counts& counts) {
    const PreTokenizer words = PreTokenizer::gpt2();
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return done_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const Batch batch = std::move(queue_.front());
      queue_.pop_front();
      changed_.notify_all();
      lock.unlock();
      count_batch(words, batch, counts);
    }
  }

  std::vector<Counts> counts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> queue_;
  bool done_ = false;
  std::exception_ptr thrown_;
  std::vector<std::jthread> threads_;  // last: they use what is above
};

}  // namespace

std::vector<WordCount> count_words(const TextSource& texts, int threads) {
  Counters counters(std::max(1, threads));
  Batch batch;
  std::size_t bytes = 0;
  std::size_t number = 0;
  texts([&](std::string_view text) {
    ++number;
    if (const std::size_t bad = find_invalid_utf8(text); bad != text.npos) {
      throw input_error("text {} of the tokenizer's sample is not UTF-8 at byte {}; replace the invalid bytes first",
                        number, bad);
    }
    bytes += text.size();
    batch.emplace_back(text);
    if (bytes < kWordBatchBytes) return;
    counters.add(std::move(batch));
    batch.clear();
    bytes = 0;
  });
  counters.add(std::move(batch));
  std::vector<Counts> parts = counters.finish();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    for (const auto& [word, count] : parts[i]) parts[0][word] += count;
  }
  std::vector<WordCount> words(parts[0].begin(), parts[0].end());
  std::ranges::sort(words);
  return words;
}

}  // namespace btm
