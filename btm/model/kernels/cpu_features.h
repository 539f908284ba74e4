// What the CPU has beyond the instruction sets that Highway 1.0 tells apart.
#pragma once

#include <hwy/base.h>

namespace btm {

#if HWY_ARCH_X86
inline const bool kHasAvx512Bf16 =
    __builtin_cpu_supports("avx512bf16");  // products of bfloat16 pairs, and rounding to it
#else
inline constexpr bool kHasAvx512Bf16 = false;
#endif

}  // namespace btm
