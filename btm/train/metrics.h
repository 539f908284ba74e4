// What a run says of each update: metrics.jsonl, and an event file for plots.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "btm/core/hash.h"
#include "btm/train/event_file.h"
#include "btm/train/update_report.h"

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

}  // namespace btm
