// metrics.jsonl of a model folder, thinned for a plot.
#pragma once

#include <filesystem>

#include "btm/core/settings.h"

namespace btm {

inline constexpr std::size_t kCurvePoints = 200;  // of a curve at most: a plot has no more pixels to tell them apart

// [{"tokens", "loss", "dev_loss"?}]: updates in groups of equal size; tokens at the end of each, its mean training
// loss, its last dev loss if one was measured. Lines that are torn or not whole are left out; no file: no points.
Json training_curve(const std::filesystem::path& metrics);

}  // namespace btm
