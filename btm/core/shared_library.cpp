#include "btm/core/shared_library.h"

#include <dlfcn.h>

#include "btm/core/error.h"

namespace btm {

SharedLibrary::SharedLibrary(std::initializer_list<const char*> files, const std::string& purpose) {
  for (const char* file : files) {
    file_ = file;
    handle_ = ::dlopen(file, RTLD_LAZY | RTLD_LOCAL);
    if (handle_) return;
  }
  throw input_error("{}: {}", purpose, ::dlerror());
}

void* SharedLibrary::address(const char* name) const {
  void* found = ::dlsym(handle_, name);
  if (!found) throw input_error("{} has no {}: it is another version, or another library", file_, name);
  return found;
}

}  // namespace btm
