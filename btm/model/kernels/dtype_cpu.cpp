// Loops over numbers of the formats of dtype.h. Plain C++, which the compiler turns into vector code of each
// instruction set.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>

#include "btm/core/error.h"
#include "btm/model/dtype.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "btm/model/kernels/dtype_cpu.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

HWY_BEFORE_NAMESPACE();
namespace btm {
namespace HWY_NAMESPACE {

std::uint32_t bits(float value) {
  return std::bit_cast<std::uint32_t>(value);
}
bool finite(float value) {  // by its bits: vectorises
  return (bits(value) & 0x7f800000u) != 0x7f800000u;
}
float from_bits(std::uint32_t value) {
  return std::bit_cast<float>(value);
}

// Rounds to odd: an inexact result gets an odd last bit, so that a second rounding, to a format at least two bits
// narrower, gives what one rounding of the double would have given (Boldo and Melquiond 2008).
float round_to_odd(double value) {
  float nearest = static_cast<float>(value);
  double back = nearest;
  if (back == value || std::isnan(value) || (bits(nearest) & 1)) return nearest;
  return from_bits(bits(nearest) + (std::fabs(value) > std::fabs(back) ? 1u : ~0u));
}

// One struct a format: how a number is read from memory and written to it.
struct Float64 {
  using Stored = double;
  static double wide(Stored x) { return x; }
  static Stored narrow(double x) { return x; }
};

struct Float32 {
  using Stored = float;
  static float wide(Stored x) { return x; }
  static Stored narrow(double x) { return static_cast<float>(x); }
};

struct BFloat16 {
  using Stored = std::uint16_t;
  static float wide(Stored x) { return from_bits(static_cast<std::uint32_t>(x) << 16); }
  static Stored narrow(double x) {
    std::uint32_t word = bits(round_to_odd(x));
    if ((word & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;  // rounding could carry a NaN over to infinity
    return static_cast<Stored>((word + 0x7fffu + ((word >> 16) & 1)) >> 16);
  }
};

// Without branches, so that loops over it become vector code. The constants move the exponent between the biases of
// binary16 (15) and binary32 (127): 2^-112 x 2^(0xe0) for normal numbers, a 0.5 to subtract for subnormal ones.
struct Float16 {
  using Stored = std::uint16_t;
  static float wide(Stored x) {
    std::uint32_t shifted = static_cast<std::uint32_t>(x) << 17;  // without the sign
    std::uint32_t sign = static_cast<std::uint32_t>(x & 0x8000) << 16;
    float normal = from_bits((shifted >> 4) + (0xe0u << 23)) * 0x1p-112f;
    float subnormal = from_bits((shifted >> 17) | (126u << 23)) - 0.5f;
    return from_bits(sign | (shifted < (1u << 27) ? bits(subnormal) : bits(normal)));
  }
  static Stored narrow(double x) {
    float value = round_to_odd(x);
    std::uint32_t sign = bits(value) >> 31 << 15, shifted = bits(value) << 1;
    if (shifted > 0xff000000u) return static_cast<Stored>(sign | 0x7e00);  // NaN
    // Adding a power of two, 2^13 x the last place of the result, rounds to that place in hardware.
    float overflowing = std::fabs(value) * 0x1p112f * 0x1p-110f;
    std::uint32_t exponent = std::max(shifted & 0xff000000u, 0x71000000u);
    std::uint32_t rounded = bits(from_bits((exponent >> 1) + 0x07800000u) + overflowing);
    return static_cast<Stored>(sign | (((rounded >> 13) & 0x7c00u) + (rounded & 0x0fffu)));
  }
};

template <class Format>
typename Format::Stored load(const char* bytes, std::size_t i) {
  typename Format::Stored stored;
  std::memcpy(&stored, bytes + i * sizeof stored, sizeof stored);
  return stored;
}

// Calls f with the format of a float dtype.
template <class F>
auto with_format(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::f64:
      return f(Float64{});
    case Dtype::f32:
      return f(Float32{});
    case Dtype::f16:
      return f(Float16{});
    case Dtype::bf16:
      return f(BFloat16{});
    default:
      throw failure("{} numbers can't be taken as floating point", dtype_name(dtype));
  }
}

bool to_float_numbers(Dtype dtype, std::string_view bytes, std::span<float> values) {
  return with_format(dtype, [&]<class Format>(Format) {
    std::uint32_t bad = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(Format::wide(load<Format>(bytes.data(), i)));
      bad |= static_cast<std::uint32_t>(!finite(values[i]));
    }
    return bad == 0;
  });
}

bool all_finite_numbers(std::span<const float> values) {
  std::uint32_t bad = 0;
  for (float value : values) bad |= static_cast<std::uint32_t>(!finite(value));
  return bad == 0;
}

void add_weighted_numbers(Dtype dtype, std::string_view bytes, double weight, std::span<double> sum) {
  with_format(dtype, [&]<class Format>(Format) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sum[i] += weight * static_cast<double>(Format::wide(load<Format>(bytes.data(), i)));
    }
  });
}

bool from_double_numbers(Dtype dtype, std::span<const double> values, char* bytes) {
  return with_format(dtype, [&]<class Format>(Format) {
    std::uint32_t bad = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      typename Format::Stored stored = Format::narrow(values[i]);
      std::memcpy(bytes + i * sizeof stored, &stored, sizeof stored);
      bad |= static_cast<std::uint32_t>(!std::isfinite(Format::wide(stored)));
    }
    return bad == 0;
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace btm
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace btm {

HWY_EXPORT(to_float_numbers);
HWY_EXPORT(all_finite_numbers);
HWY_EXPORT(add_weighted_numbers);
HWY_EXPORT(from_double_numbers);

bool to_float(Dtype dtype, std::string_view bytes, std::span<float> values) {
  return HWY_DYNAMIC_DISPATCH(to_float_numbers)(dtype, bytes, values);
}

bool all_finite(std::span<const float> values) {
  return HWY_DYNAMIC_DISPATCH(all_finite_numbers)(values);
}

void add_weighted(Dtype dtype, std::string_view bytes, double weight, std::span<double> sum) {
  HWY_DYNAMIC_DISPATCH(add_weighted_numbers)(dtype, bytes, weight, sum);
}

bool from_double(Dtype dtype, std::span<const double> values, char* bytes) {
  return HWY_DYNAMIC_DISPATCH(from_double_numbers)(dtype, values, bytes);
}

}  // namespace btm
#endif  // HWY_ONCE
