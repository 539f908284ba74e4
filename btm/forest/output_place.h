// Where commands may write what the user names.
#pragma once

#include <filesystem>

namespace btm {

// Throws Error(input) if the path lies in a folder that a forest keeps for itself (experts, results, ...), whose
// commands would take what is written there for their own; `allowed` names one of them that it may lie in.
void check_output_place(const std::filesystem::path& output, const char* allowed = "");

}  // namespace btm
