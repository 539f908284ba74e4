// The machine's speed, as a yardstick for the speed of training.
#pragma once

namespace btm {

// FLOP/s of single-precision GEMM of the size of a Transformer's projections, on `threads` threads at once. Takes about
// 50 ms.
double measure_gemm_peak(int threads);

}  // namespace btm
