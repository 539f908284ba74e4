// The machine's speed, as a yardstick for the speed of training.
#pragma once

#include "btm/train/thread_team.h"

namespace btm {

// FLOP/s of single-precision GEMM of the size of a Transformer's projections, on all threads of the team at once. Takes
// about 50 ms.
double measure_gemm_peak(ThreadTeam& team);

}  // namespace btm
