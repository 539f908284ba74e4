// What a run says of itself while it works: metrics.jsonl and an event file for plots, status.json for whoever watches
// it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "btm/core/hash.h"
#include "btm/core/settings.h"
#include "btm/train/event_file.h"
#include "btm/train/learner.h"

namespace btm {

// RUN/metrics.jsonl, a line an update, and its event file. Lines reach the disk at flush(); those after the last
// checkpoint are written again when the run goes on from it.
class MetricsFile {
 public:
  // Cuts the files back to the first `bytes` of metrics.jsonl (the checkpoint's) and warns if they have another hash
  // than `xxh3` ("": not known). Throws Error(input).
  MetricsFile(const std::filesystem::path& path, std::int64_t bytes, const std::string& xxh3,
              const std::filesystem::path& event_folder);

  // {"update","tokens","loss","learning_rate","gradient_norm","tokens_per_second"[,"dev_loss"],"time"}
  void add(std::int64_t update, std::int64_t tokens, const UpdateReport& report, double tokens_per_second,
           std::optional<double> dev_loss);
  std::int64_t flush();      // and fsync; returns the length. Throws Error(input) when the disk is full
  std::string xxh3() const;  // of what was flushed

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::string lines_;
  Xxh3 hash_;
  std::optional<EventFile> events_;
};

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
