#include "btm/model/kernels/gemm_kernel.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "btm/model/kernels/bf16_amx-inl.h"

namespace btm {
namespace {

// The operand of ldtilecfg: eight tiles of 16 rows of 64 bytes.
struct TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileShapes) == 64);
constexpr TileShapes kTileShapes;

struct AmxTiles {
  template <int i>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(i));
  }
  template <int i>
  static void load(const float* memory, std::size_t stride) {
    asm volatile("tileloadd (%0,%1,4), %%tmm%c2" : : "r"(memory), "r"(stride), "i"(i) : "memory");
  }
  template <int i>
  static void store(float* memory, std::size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,4)" : : "r"(memory), "r"(stride), "i"(i) : "memory");
  }
  template <int c, int a, int b>
  static void add_product() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(c), "i"(a), "i"(b));
  }

  // Sets up the thread's tiles; afterwards the system need not save them when it switches threads.
  struct Session {
    Session() { asm volatile("ldtilecfg %0" : : "m"(kTileShapes)); }
    ~Session() { asm volatile("tilerelease"); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
  };
};

// CPUID leaf 7: AMX-BF16 and AMX-TILE.
bool cpu_has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && (d >> 24 & 1);
}

// Linux hands out tiles to processes that ask (Documentation/arch/x86/xstate.rst), from 5.16 on.
bool system_grants_tiles() {
  constexpr long kArchRequestXcompPerm = 0x1023, kXtileData = 18;
  return syscall(SYS_arch_prctl, kArchRequestXcompPerm, kXtileData) == 0;
}

}  // namespace

const GemmKernel* amx_bf16_kernel() {
  static constexpr GemmKernel kernel = BlockedProducts<AmxTiling<AmxTiles>>::kernel();
  static const bool there = avx512_bf16_kernel() && cpu_has_amx() && system_grants_tiles();
  return there ? &kernel : nullptr;
}

}  // namespace btm
#else
const btm::GemmKernel* btm::amx_bf16_kernel() {
  return nullptr;
}
#endif
