// From a domain's text to its token files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "btm/data/documents.h"
#include "btm/data/domain_report.h"
#include "btm/data/split.h"
#include "btm/data/tokenizer.h"

namespace btm {

// Tokenises into FOLDER/{train,dev,test}.{bin,idx} and FOLDER/domain.json, each document followed by end-of-text; the
// folder appears whole. Reading goes on while `threads` threads encode; memory is bounded by a few batches of 16 MB.
// Throws Error(input): what read_documents throws, fewer than 3 documents, fewer than `least_tokens` tokens in train, a
// tokenizer without end-of-text.
DomainReport prepare_domain(const TextSettings& settings, const std::string& domain, const Tokenizer& tokenizer,
                            const std::filesystem::path& folder, std::int64_t least_tokens, int threads);

}  // namespace btm
