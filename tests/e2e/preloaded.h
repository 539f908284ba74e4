// What the libraries that tests preload into btm have in common.
#pragma once

#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <string>

// The function of that name that this one stands before.
template <class F>
F* next(F*, const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

// Of the open file; empty if it has none.
inline std::string path_of(int descriptor) {
  char path[PATH_MAX];
  const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), path, sizeof path);
  return size < 0 ? std::string() : std::string(path, static_cast<std::size_t>(size));
}
