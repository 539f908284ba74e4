// Text that carries its own SHA-256, so that a flipped byte is found with nothing beside the file that could be older.
//
//   a file   its seal is one line, "file_sha256" and the hash of all other lines, which the file's readers pass over.
//            By hand: grep -v file_sha256 FILE | sha256sum
//   a line   a JSON object whose last key is the seal: "line_sha256", of the line without it
#pragma once

#include <string>
#include <string_view>

#include "btm/core/files.h"

namespace btm {

enum class Seal { none, whole, broken };  // none: not sealed, as files of older versions are

// The text with its seal: in .json (an object in several lines) a key, the second line; in .md a comment, the first
// line; in all others the first line, behind '#'.
std::string sealed(const fs::path& path, std::string_view text);
void write_sealed_file(const fs::path& path, std::string_view text);  // see write_file
// A file that holds this already, and is whole, stays as it is.
void ensure_sealed_file(const fs::path& path, std::string_view text);

// No single changed byte makes a sealed text pass for whole or for not sealed.
Seal check_seal(std::string_view bytes);
std::string unsealed(std::string_view bytes);  // without the seal, if it has one and whether it holds or not

std::string sealed_line(std::string_view object);  // a JSON object in one line, not empty
// A line whose seal has lost its name counts as not sealed, and has a key that nobody knows.
Seal check_line_seal(std::string_view line);
std::string unsealed_line(std::string_view line);  // of one that is not broken

}  // namespace btm
