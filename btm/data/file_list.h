// Files by name, folder or glob.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace btm {

// The files that the patterns name, sorted, each once, but for those that a folder or glob finds in the folders
// `except` or half-written. A pattern is a file, a folder (all files in it and below) or a glob:
// * ? [a-z] within a name, ** for any folders, {a,b} for either. Hidden files and folders (.git) count only where a
// pattern names them; links to folders are followed only where a pattern names them. Throws Error(input) if a pattern
// matches nothing, naming what is there instead; `where` heads the message.
std::vector<std::filesystem::path> find_files(const std::vector<std::string>& patterns, const std::string& where,
                                              const std::vector<std::filesystem::path>& except = {});

}  // namespace btm
