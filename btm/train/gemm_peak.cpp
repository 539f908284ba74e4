#include "btm/train/gemm_peak.h"

namespace btm {
double measure_gemm_peak(int) {
  return 1;
}
}  // namespace btm
