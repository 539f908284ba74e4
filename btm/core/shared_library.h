// A library that is opened when it is first needed, by name, so that what never needs it neither has nor reads it.
#pragma once

#include <initializer_list>
#include <string>

namespace btm {

// It stays open as long as the program runs.
class SharedLibrary {
 public:
  // Opens the first of `files` that can be opened. Throws Error(input): `purpose` (what is wanted of it, and what to do
  // about it), and what the system says of the last one.
  SharedLibrary(std::initializer_list<const char*> files, const std::string& purpose);

  // Its function of that name. Throws Error(input) where there is none.
  template <class F>
  F* get(const char* name) const {
    return reinterpret_cast<F*>(address(name));
  }

 private:
  void* address(const char* name) const;

  std::string file_;
  void* handle_ = nullptr;
};

}  // namespace btm
