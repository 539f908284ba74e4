// What several sections read out of results/evaluation.json.
#pragma once

#include <string>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/settings.h"

namespace btm {

inline constexpr const char* kEvaluation = "results/evaluation.json";

// Runs what reads one kind of file: an error (Json::exception) becomes Error(input) that names it.
template <class F>
auto reading(const char* file, F&& f) {
  try {
    return f();
  } catch (const Json::exception& e) {
    throw input_error("{}: not as docs/formats.md says ({}); write it again", file, e.what());
  }
}

// What a plot of all domains shows at first, of the rows there are: the references, the whole ensemble and the best
// average.
std::vector<std::string> chosen_models(const Json& rows);

std::string role_heading(const Json& domain);  // "train domains" or "novel domains"

}  // namespace btm
