// What the rows of results/evaluation.json are, in a line each (docs/formats.md has more).
#pragma once

#include <string>

namespace btm {

std::string model_note(const std::string& model);  // "" for one that is not known

}  // namespace btm
