// The sample of text that a tokenizer is trained on.
#pragma once

#include <cstdint>

#include "btm/core/settings.h"
#include "btm/data/bpe_train.h"
#include "btm/data/text_file.h"

namespace btm {

// From every domain the train documents of smallest SHA-256, about `bytes_per_domain` of them: a random sample that is
// a function of the text alone, and the same share for every domain that has so much. Every document is read once, a
// domain's sample is held in memory. The source throws what read_documents throws.
TextSource balanced_sample(const NamedList<TextSettings>& domains, std::int64_t bytes_per_domain);

}  // namespace btm
