#include "btm/train/passes.h"

namespace btm {
namespace {

// Of the threads' time, what goes by with work where each group of them takes whole sequences.
double busy_share(std::size_t sequences, int groups) {
  return static_cast<double>(sequences) / (groups * static_cast<double>(largest_part(sequences, groups)));
}

}  // namespace

int threads_per_sequence(std::size_t sequences, int length, int threads, int ranks) {
  constexpr std::size_t kLeastRows = 16;  // of a thread: products of fewer are slow
  constexpr double kTogether = 0.95;  // of the speed of threads that have sequences of their own (docs/benchmarks.md)
  int best = 1;
  double most = busy_share(sequences, threads * ranks);
  for (int together = 2; together <= threads; ++together) {
    const int groups = threads / together * ranks;
    const std::size_t rows = largest_part(sequences, groups) * static_cast<std::size_t>(length / together);
    if (threads % together != 0 || rows < kLeastRows) continue;
    const double speed = kTogether * busy_share(sequences, groups);
    if (speed <= most) continue;
    most = speed;
    best = together;
  }
  return best;
}

}  // namespace btm
