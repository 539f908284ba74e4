// Operands of matrix products: arrays of float32 or bfloat16.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "btm/model/bf16.h"

namespace btm {

// What the operands of matrix products are rounded to before they are multiplied; sums are float32. bf16 is twice the
// speed where the CPU multiplies pairs of bfloat16 (AVX512-BF16, but Intel's), several times with tiles of them (AMX).
// Another CPU multiplies them in float32, at nearly its speed: the same up to the order of the sums. int16 is one and a
// half times the speed of float32 on CPUs whose vectors have 256 bits (AVX2), nearly twice with VNNI: whole numbers
// with a scale for every 128 of an operand along the sum (block floating point; int16_kernel_cpu.cpp).
enum class Operands { fp32, bf16, int16 };
inline std::array<std::pair<Operands, std::string_view>, 3> names(Operands) {
  return {{{Operands::fp32, "fp32"}, {Operands::bf16, "bf16"}, {Operands::int16, "int16"}}};
}

// An array of them, which someone else owns: float32 or, for products that round to it anyway, bfloat16. (Those of
// int16 have their scales from the product.)
class OperandView {
 public:
  OperandView() = default;
  OperandView(const float* numbers) : numbers_(numbers) {}
  OperandView(const bf16* numbers) : numbers_(numbers), format_(Operands::bf16) {}

  Operands format() const { return format_; }
  template <class Number>  // float or bf16, by the format
  const Number* as() const {
    return static_cast<const Number*>(numbers_);
  }
  OperandView from(std::size_t i) const {  // number i on
    return format_ == Operands::fp32 ? OperandView(as<float>() + i) : OperandView(as<bf16>() + i);
  }

 private:
  const void* numbers_ = nullptr;
  Operands format_ = Operands::fp32;
};

// The same to write to. Numbers are rounded to nearest, ties to even.
class OperandArray {
 public:
  OperandArray() = default;
  OperandArray(float* numbers) : numbers_(numbers) {}
  OperandArray(bf16* numbers) : numbers_(numbers), format_(Operands::bf16) {}
  operator OperandView() const {
    return format_ == Operands::fp32 ? OperandView(as<float>()) : OperandView(as<bf16>());
  }

  Operands format() const { return format_; }
  template <class Number>
  Number* as() const {
    return static_cast<Number*>(numbers_);
  }
  OperandArray from(std::size_t i) const {
    return format_ == Operands::fp32 ? OperandArray(as<float>() + i) : OperandArray(as<bf16>() + i);
  }

 private:
  void* numbers_ = nullptr;
  Operands format_ = Operands::fp32;
};

// An array for such products in memory that has room for as many floats.
inline OperandArray operands_at(float* memory, Operands operands) {
  if (operands == Operands::bf16) return reinterpret_cast<bf16*>(memory);
  return memory;
}

// f(x.as<float>()) or f(x.as<bf16>())
template <class Array, class F>
void with_numbers(const Array& x, const F& f) {
  if (x.format() == Operands::fp32) return f(x.template as<float>());
  f(x.template as<bf16>());
}

}  // namespace btm
