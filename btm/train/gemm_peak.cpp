#include "btm/train/gemm_peak.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

#include "btm/core/buffer.h"
#include "btm/model/kernels/gemm.h"

namespace btm {
namespace {

constexpr int kSize = 512;  // rows and columns: three of them fit a core's share of the cache
constexpr double kSeconds = 0.05;

// FLOP/s of the best product among those of 50 ms; the first one, which sets up buffers, is not among them.
double best_of_one_thread() {
  using Clock = std::chrono::steady_clock;
  SerialBlas serial;
  Buffer a(kSize * kSize), b(kSize * kSize), c(kSize * kSize);
  auto product = [&] { gemm(kSize, kSize, kSize, 1, {a.data(), kSize}, {b.data(), kSize}, 0, c.data(), kSize); };
  product();
  double best = 0;
  auto start = Clock::now(), now = start;
  do {
    auto before = now;
    product();
    now = Clock::now();
    best = std::max(best, 2.0 * kSize * kSize * kSize / std::chrono::duration<double>(now - before).count());
  } while (std::chrono::duration<double>(now - start).count() < kSeconds);
  return best;
}

}  // namespace

double measure_gemm_peak(ThreadTeam& team) {
  std::vector<double> speeds(static_cast<std::size_t>(team.size()));
  team.run([&](int thread) { speeds[static_cast<std::size_t>(thread)] = best_of_one_thread(); });
  return std::accumulate(speeds.begin(), speeds.end(), 0.0);
}

}  // namespace btm
