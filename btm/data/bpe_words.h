// The words of a training sample and how often each comes, counted on several threads.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "btm/data/bpe_train.h"

namespace btm {

using WordCount = std::pair<std::string, std::int64_t>;

// Sorted by word, so the same for any number of threads. Throws Error(input) if a text is not UTF-8.
std::vector<WordCount> count_words(const TextSource& texts, int threads);

}  // namespace btm
