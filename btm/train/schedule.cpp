#include "btm/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace btm {
namespace {

double decay_shape(const TrainingSettings& settings, double t) {
  switch (settings.schedule) {
    case ScheduleKind::constant:
      return 1;
    case ScheduleKind::linear:
      return 1 - t;
    case ScheduleKind::cosine:
      return (1 + std::cos(std::numbers::pi * t)) / 2;
    case ScheduleKind::polynomial:
      return std::pow(1 - t, settings.power);
  }
  return 1;
}

}  // namespace

double learning_rate(const TrainingSettings& settings, std::int64_t update, std::int64_t updates) {
  double peak = settings.learning_rate, floor = settings.final_learning_rate;
  auto warm = static_cast<std::int64_t>(settings.warmup * static_cast<double>(updates));
  std::int64_t top = std::clamp<std::int64_t>(warm, 1, updates) - 1;
  if (update <= top) return peak * static_cast<double>(update + 1) / static_cast<double>(top + 1);
  double t = static_cast<double>(update - top) / static_cast<double>(updates - 1 - top);
  return peak * (floor + (1 - floor) * decay_shape(settings, t));
}

}  // namespace btm
