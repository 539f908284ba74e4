#include "btm/train/gemm_peak.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "btm/core/buffer.h"
#include "btm/core/cpu_clock.h"

namespace btm {
namespace {

constexpr int kSize = 512;  // rows and columns: three of them fit a core's share of the cache
constexpr double kSeconds = 0.05;

// FLOP/s of the best product among those of 50 ms; the first one, which sets up buffers, is not among them.
double best_of_one_thread(Operands operands) {
  constexpr std::size_t kNumbers = std::size_t(kSize) * kSize;
  Buffer a(kNumbers), b(kNumbers), c(kNumbers);
  auto product = [&] {
    gemm(kSize, kSize, kSize, 1, {a.data(), kSize}, {b.data(), kSize}, false, c.data(), kSize, operands);
  };
  product();
  double best = 0;
  const double start = thread_cpu_seconds();
  for (double before = start, now = start; now - start < kSeconds; before = now) {
    product();
    now = thread_cpu_seconds();
    best = std::max(best, 2.0 * kSize * kSize * kSize / (now - before));
  }
  return best;
}

}  // namespace

double measure_gemm_peak(ThreadTeam& team, Operands operands) {
  std::vector<double> speeds(static_cast<std::size_t>(team.size()));
  team.run([&](int thread) { speeds[static_cast<std::size_t>(thread)] = best_of_one_thread(operands); });
  return std::accumulate(speeds.begin(), speeds.end(), 0.0);
}

}  // namespace btm
