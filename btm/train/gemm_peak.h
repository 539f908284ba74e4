// The machine's speed, as a yardstick for the speed of training.
#pragma once

#include "btm/core/thread_team.h"
#include "btm/model/kernels/gemm.h"

namespace btm {

// FLOP/s of matrix products of the size of a Transformer's projections, on all threads of the team at once. Takes about
// 50 ms.
double measure_gemm_peak(ThreadTeam& team, Operands operands);

}  // namespace btm
