// The documents of a domain: all its files, without duplicates, each on its side of the split.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "btm/data/domain_report.h"
#include "btm/data/split.h"
#include "btm/data/text_file.h"

namespace btm {

using TakeDocument = std::function<void(std::string&& text, const std::string& sha256, Split split)>;
using ReadProgress = std::function<void(std::int64_t bytes, std::int64_t of_bytes)>;  // of the files, as packed

// Calls `take` for every document in the order of the sorted file names: duplicates (by SHA-256) and documents without
// text left out, invalid UTF-8 replaced by U+FFFD, all counted in `report`, whose name, text_sha256 and files_sha256
// are set too. Splits are splits_of(all documents): the first hundred or so documents are held back until it is sure
// that no split is empty. Memory: those, one document, and about 100 bytes a document. Throws Error(input) with file
// (and line): nothing matches, no document with text, and what TextFile throws.
void read_documents(const TextSettings& settings, const std::string& domain, DomainReport& report,
                    const TakeDocument& take, const ReadProgress& progress = {});

// `files_sha256` of a report without reading the files: the settings, and path, size and time of each file.
std::string files_sha256(const TextSettings& settings, const std::string& domain);

}  // namespace btm
