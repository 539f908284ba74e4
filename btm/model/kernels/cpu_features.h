// What the CPU has beyond the instruction sets that Highway 1.0 tells apart.
#pragma once

#include <hwy/base.h>
#if HWY_ARCH_X86
#include <cpuid.h>
#endif

namespace btm {

// Products of pairs of bfloat16, and rounding to it; sums of products of pairs of 16 bits in vectors of 512 and 256.
#if HWY_ARCH_X86
inline bool has_avx_vnni() {  // clang 14 and older don't know its name
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
}
inline const bool kHasAvx512Bf16 = __builtin_cpu_supports("avx512bf16");
inline const bool kHasAvx512Vnni = __builtin_cpu_supports("avx512vnni");
inline const bool kHasAvxVnni = has_avx_vnni();
#else
inline constexpr bool kHasAvx512Bf16 = false, kHasAvx512Vnni = false, kHasAvxVnni = false;
#endif

}  // namespace btm
