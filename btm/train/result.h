// What came of a training: RUN/result.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "btm/train/job.h"

namespace btm {

struct TrainingResult {
  std::int64_t tokens = 0, updates = 0;
  double flops = 0;           // training tokens x 3 x forward_flops_per_token
  double device_seconds = 0;  // over all starts of the run, lost work included; threads x wall seconds
  double dev_loss = 0;        // nats per token at the end, mean over the domains
  int threads = 1;
  std::string precision = {};     // of the products, resolved; "": not known
  std::string device = "cpu";     // or cuda, where it is the GPU's time that counts
  std::string metrics_xxh3 = {};  // of RUN/metrics.jsonl; "": not known (written before it was kept)
};
template <class F>
void visit(TrainingResult& s, F&& f) {
  f("tokens", s.tokens, "trained on");
  f("updates", s.updates, "of the weights");
  f("flops", s.flops, "of training");
  f("device_seconds", s.device_seconds, "threads x wall seconds, lost work included");
  f("dev_loss", s.dev_loss, "nats per token at the end");
  f("threads", s.threads, "of the run");
  f("precision", s.precision, "of the products");
  f("device", s.device, "cpu or cuda");
  f("metrics_xxh3", s.metrics_xxh3, "of metrics.jsonl");
}

std::optional<TrainingResult> load_result(const std::filesystem::path& run);  // nullopt: not done yet
void save_result(const std::filesystem::path& run, const TrainingResult& result);

// Tokens, updates and FLOPs of the whole job; the rest is known when it has run.
TrainingResult planned_result(const TrainingJob& job);

}  // namespace btm
