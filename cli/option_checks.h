// What is checked of an option's value while the command line is read.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <string>

namespace btm {

// A whole number of at least 1.
inline CLI::Validator positive() {
  const auto check = [](const std::string& text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && value >= 1 ? std::string() : "'" + text + "' is not a whole number of at least 1";
  };
  return CLI::Validator(check, "POSITIVE");
}

// Not what a shell's variable gives that isn't set.
inline CLI::Validator not_empty() {
  const auto check = [](const std::string& text) { return std::string(text.empty() ? "must not be empty" : ""); };
  return CLI::Validator(check, "");
}

}  // namespace btm
