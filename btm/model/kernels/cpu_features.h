// What the CPU has beyond the instruction sets that Highway 1.0 tells apart.
#pragma once

#include <hwy/base.h>

namespace btm {

// Products of pairs of bfloat16, and rounding to it.
#if HWY_ARCH_X86
inline const bool kHasAvx512Bf16 = __builtin_cpu_supports("avx512bf16");
#else
inline constexpr bool kHasAvx512Bf16 = false;
#endif

}  // namespace btm
