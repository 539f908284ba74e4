// RUN/status.json: how far a run is, for whoever watches it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "btm/core/settings.h"

namespace btm {

enum class RunPhase { waiting, running, done, interrupted, failed };  // waiting: has no status.json yet
inline std::array<std::pair<RunPhase, std::string_view>, 5> names(RunPhase) {
  return {{{RunPhase::waiting, "waiting"},
           {RunPhase::running, "running"},
           {RunPhase::done, "done"},
           {RunPhase::interrupted, "interrupted"},
           {RunPhase::failed, "failed"}}};
}

struct RunStatus {
  RunPhase state = RunPhase::running;
  std::int64_t update = 0, updates = 0;
  double tokens_per_second = 0;
  double loss = 0;
  double device_seconds = 0;
  std::int64_t time = 0;  // seconds since 1970
  std::string host;
};
template <class F>
void visit(RunStatus& s, F&& f) {
  f("state", s.state, "running, done, interrupted or failed");
  f("update", s.update, "done so far");
  f("updates", s.updates, "in all");
  f("tokens_per_second", s.tokens_per_second, "lately");
  f("loss", s.loss, "of the last update");
  f("device_seconds", s.device_seconds, "threads x wall seconds, over all starts");
  f("time", s.time, "of writing, in seconds since 1970");
  f("host", s.host, "where it was written");
}

void save_status(const std::filesystem::path& run, RunStatus status);    // sets time and host
std::optional<RunStatus> load_status(const std::filesystem::path& run);  // nullopt: none, or not readable

}  // namespace btm
