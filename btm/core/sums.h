// SHA256SUMS: the hashes of all files of a folder that is published whole and then stays as it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "btm/core/files.h"

namespace btm {

inline constexpr const char* kSumsFile = "SHA256SUMS";

struct FileSum {
  std::string file;  // below the folder
  std::string sha256;
};

// Of every file in the folder and below, sealed (btm/core/seal.h). `cd FOLDER && sha256sum -c SHA256SUMS` checks them,
// too. Files whose sum is `known` are not read again.
void write_sums(const fs::path& folder, const std::vector<FileSum>& known = {});

// Another hash for a file that was replaced; those of the others stay as they were written. Does nothing if there is no
// SHA256SUMS.
void update_sum(const fs::path& folder, const std::string& file);

// nullopt: there is no such file, as in folders that older versions wrote. Throws Error(input): damaged.
std::optional<std::vector<FileSum>> read_sums(const fs::path& folder);

// Whether the files have the hashes of SHA256SUMS, where there is one. Throws Error(input) where a file can't be read.
bool holds_sums(const fs::path& folder);

}  // namespace btm
