// What separates two arrays of weights, packed, so that one of them and the difference give the other bit for bit.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace btm {

using ByteSink = std::function<void(std::string_view)>;

// Both are float32 numbers, of equal count. The bytes to the sink are zstd frames, one for each block of numbers, and a
// function of the two arrays and the version of libzstd alone (the format: docs/formats.md, "Bundle").
void pack_difference(std::string_view values, std::string_view base, const ByteSink& sink);

// Gives `values` to the sink, a block at a time. Takes as much memory as a block, whatever the frames claim. Throws
// Error(input), which `where` heads: anything else than the frames that the base needs.
void unpack_difference(std::string_view packed, std::string_view base, const std::string& where, const ByteSink& sink);

}  // namespace btm
