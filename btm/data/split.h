// Which documents train, and which only measure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace btm {

enum class Split { train, dev, test };

// By the document's SHA-256 (hex) alone: the 2 % of smallest hashes are dev, the next 2 % test, the other 96 % train.
// So a document never changes sides because of others.
Split split_of(std::string_view document_sha256);

// The one exception, for domains so small that a split would be empty: the ranges of hashes are widened until dev and
// test have one document each (and narrowed until train has one). Any order of the hashes; fewer than 3 keep split_of.
std::vector<Split> splits_of(std::span<const std::string> document_sha256s);

}  // namespace btm
