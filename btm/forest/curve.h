// metrics.jsonl of a model folder, thinned for a plot.
#pragma once

#include <filesystem>

#include "btm/core/settings.h"

namespace btm {

// [{"tokens", "loss", "dev_loss"?}]: updates in groups, each longer than the last by the same factor, so that they are
// even on a logarithmic axis; tokens at the end of each, its mean training loss, its last dev loss if one was measured.
// About 100 points at most. Lines that are torn or not whole are left out; no file: no points.
Json training_curve(const std::filesystem::path& metrics);

}  // namespace btm
