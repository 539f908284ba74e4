#include "btm/train/passes.h"

#include "btm/core/share.h"

namespace btm {
namespace {

// Of the threads' time, what goes by with work where each group of them takes whole sequences.
double busy_share(std::size_t sequences, int groups) {
  return static_cast<double>(sequences) / (groups * static_cast<double>(Share{0, groups}.largest(sequences)));
}

}  // namespace

int threads_per_sequence(std::size_t parameters, std::size_t sequences, int length, int threads, int ranks) {
  constexpr std::size_t kLeastRows = 16;  // of a thread: products of fewer are slow
  constexpr double kTogether = 0.95;  // of the speed of threads that have sequences of their own (docs/benchmarks.md)
  constexpr std::size_t kGradientBytes = std::size_t{4} << 30;  // of a rank
  int best = 1;
  double most = 0;
  for (int together = 1; together <= threads; ++together) {
    if (threads % together != 0) continue;
    const int replicas = threads / together, groups = replicas * ranks;
    const std::size_t rows = Share{0, groups}.largest(sequences) * static_cast<std::size_t>(length / together);
    if (together > 1 && rows < kLeastRows) continue;
    const bool fits = static_cast<std::size_t>(replicas) * parameters * sizeof(float) <= kGradientBytes;
    const double speed = (together > 1 ? kTogether : 1) * busy_share(sequences, groups);
    if (speed <= most) continue;
    most = fits ? speed : 0;  // of too many copies: any number of fewer is better
    best = together;
  }
  return best;
}

}  // namespace btm
