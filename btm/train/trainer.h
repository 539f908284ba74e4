// Training of one model alone, in a folder of its own; stopped at any point and started again it ends with the same bytes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/model/config.h"
#include "btm/train/settings.h"

namespace btm {

struct TrainingData {
  std::string domain;
  std::string folder;        // holds {train,dev}.{bin,idx}
  std::string train_sha256;  // checked at the start
};
template <class F>
void visit(TrainingData& s, F&& f) {
  f("domain", s.domain, "name");
  f("folder", s.folder, "holds train and dev tokens");
  f("train_sha256", s.train_sha256, "identity of the train tokens");
}

// RUN/run.yaml: everything that the final weights depend on.
struct TrainingJob {
  std::string name;
  std::string init;         // checkpoint folder; "": random
  std::string init_sha256;  // weights_sha256 of it, checked at the start
  std::string tokenizer;    // folder with tokenizer.json, copied into the result
  ModelConfig model;        // resolved; must equal init's
  TrainingSettings training;
  std::int64_t tokens = 0;  // rounded down to whole updates, at least one
  std::vector<TrainingData> data;
  int threads = 1;
};
template <class F>
void visit(TrainingJob& s, F&& f) {
  f("name", s.name, "of the run");
  f("init", s.init, "checkpoint folder to start from; empty: random");
  f("init_sha256", s.init_sha256, "identity of its weights");
  f("tokenizer", s.tokenizer, "folder with tokenizer.json");
  f("model", s.model, "shape");
  f("training", s.training, "how");
  f("tokens", s.tokens, "to train on");
  f("data", s.data, "domains, balanced");
  f("threads", s.threads, "replicas, each on its own thread");
}

// RUN/result.json
struct TrainingResult {
  std::int64_t tokens = 0, updates = 0;
  double flops = 0;           // training tokens x 3 x forward_flops_per_token
  double device_seconds = 0;  // over all starts of the run, lost work included; threads x wall seconds
  double dev_loss = 0;        // nats per token at the end, mean over the domains
  int threads = 1;
};
template <class F>
void visit(TrainingResult& s, F&& f) {
  f("tokens", s.tokens, "trained on");
  f("updates", s.updates, "of the weights");
  f("flops", s.flops, "of training");
  f("device_seconds", s.device_seconds, "threads x wall seconds, lost work included");
  f("dev_loss", s.dev_loss, "nats per token at the end");
  f("threads", s.threads, "of the run");
}

// Trains the job in `run` (RUN/run.yaml already there) from its last good checkpoint to the end and leaves
//   RUN/model/        the final checkpoint folder (Hugging Face layout with tokenizer)
//   RUN/metrics.jsonl {"update","tokens","loss","learning_rate","gradient_norm","tokens_per_second"[,"dev_loss"]}
//   RUN/status.json   {"state": "running|done|interrupted","update","updates","tokens_per_second","loss","time"}
//   RUN/checkpoints/STEP/  while it runs
//   RUN/result.json   last: its presence says that the run is done
// Done already: returns at once. Throws Error(interrupted) after a checkpoint on SIGINT or SIGTERM, Error(input) for data
// or weights that don't match the job, a full disk (the last good checkpoint stays usable), non-finite loss.
TrainingResult run_training(const std::filesystem::path& run, bool quiet);

TrainingJob load_job(const std::filesystem::path& run);
void save_job(const std::filesystem::path& run, const TrainingJob& job);  // makes the folder

}  // namespace btm
