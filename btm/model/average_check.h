// What two checkpoints must share for their mean to be a model, and the files that go with it.
#pragma once

#include <filesystem>

#include "btm/model/weight_files.h"

namespace btm {

// Throws Error(input), naming both folders: tensors of other names or shapes, other bytes in tensors that aren't
// floating point, another value of a setting in config.json that both have (but for those that don't change what the
// model computes), another tokenizer.
void check_averageable(const WeightFiles& first, const WeightFiles& other);

// Copies config.json, generation_config.json, the tokenizer's files and the model's own code (*.py), as far as they
// are there.
void copy_companions(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace btm
