// Number formats of tensors on disk, and their conversion.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace btm {

enum class Dtype { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

std::optional<Dtype> find_dtype(std::string_view name);  // by safetensors' name: "F32", "BF16", ...
std::string_view dtype_name(Dtype dtype);
std::size_t byte_size(Dtype dtype);  // of one number
bool is_float(Dtype dtype);

// The functions below take float dtypes only; `bytes` needs no alignment.

// Numbers as float32 (float64 is rounded). False if any of them is NaN or infinite.
bool to_float(Dtype dtype, std::string_view bytes, std::span<float> values);

bool all_finite(std::span<const float> values);

// sum[i] += weight x number[i], with product and sum rounded to double each.
void add_weighted(Dtype dtype, std::string_view bytes, double weight, std::span<double> sum);

// Each number rounded once, to nearest with ties to even, also where the dtype is narrower than float32. False if any
// result is NaN or infinite.
bool from_double(Dtype dtype, std::span<const double> values, char* bytes);

}  // namespace btm
