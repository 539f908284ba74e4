// The names of files and folders before they are published (files.h), and what killed processes left under such names.
#pragma once

#include <filesystem>

namespace btm {

// The name beside `path` that this process writes under: host and process id keep two writers apart, and a leftover of
// a killed one is recognised by its ending.
std::filesystem::path half_written_name(const std::filesystem::path& path);

// Whether the name is such a one: a process is writing there, or was killed doing so.
bool is_half_written(const std::filesystem::path& path);

// Removes what killed processes left half-written in the folder; what is being written, by a process that is alive or
// was on another host in the last hour, stays.
void remove_leftovers(const std::filesystem::path& folder);

// Removes all that is half-written there: for whoever holds a lock that keeps other writers out of the folder.
void remove_half_written(const std::filesystem::path& folder);

}  // namespace btm
