// Training of a byte-level BPE vocabulary (Sennrich et al. 2016, arXiv 1508.07909; on bytes as in GPT-2).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "btm/data/tokenizer.h"

namespace btm {

// Calls `take` once for every text of the sample, in a fixed order.
using TextSource = std::function<void(const std::function<void(std::string_view text)>& take)>;

// Vocabulary: 256 bytes, merges by falling pair count (ties: smaller pair of ids first, so the result depends on the
// text only, not on threads), and `<|endoftext|>` as the last id. Pre-tokenizer: GPT-2's ByteLevel, no prefix space.
// Throws Error(input) if the text has too few distinct pairs for vocab_size, saying the largest size that it gives.
Tokenizer train_bpe(const TextSource& texts, int vocab_size, int threads);

// Throws Error(input), with `where` as the setting's name, for one that is too small for any text.
void check_vocab_size(int vocab_size, const std::string& where);

}  // namespace btm
