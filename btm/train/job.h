// What is trained, and what came of it: RUN/run.yaml and RUN/result.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "btm/model/config.h"
#include "btm/train/device.h"
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

// RUN/run.yaml: everything that the final weights depend on, and where its files are.
struct TrainingJob {
  std::string name;
  std::string init;         // checkpoint folder; "": random
  std::string init_sha256;  // weights_sha256 of it, checked at the start
  std::string tokenizer;    // folder with tokenizer.json, copied into the result
  ModelConfig model;        // resolved; must equal init's
  TrainingSettings training;
  std::int64_t tokens = 0;  // rounded down to whole updates, at least one
  std::vector<TrainingData> data;
  std::int64_t first_round = 0;  // see SequenceStream; earlier rounds were read in training the initial weights
  int part = 0, parts = 1;
  bool demix = false;
  int threads = 1;
  Device device = Device::automatic;
  int gpu_share = 100;      // see take_share_of_gpu()
  std::string trainer;      // a command that trains instead of btm, see external_trainer.h; "": none
  std::string tensorboard;  // folder for the event file; "": the run's
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
  f("first_round", s.first_round, "of the data, one sequence of each domain: where to begin");
  f("part", s.part, "of the data dealt out to `parts` runs, sequence by sequence: the share of this one");
  f("parts", s.parts, "1: all of the data");
  f("demix", s.demix, "a feed-forward network per domain in each layer, all else shared; leaves a model per domain");
  f("threads", s.threads, "replicas, each on its own thread");
  f("device", s.device, "cpu, cuda or auto");
  f("gpu_share", s.gpu_share, "percent of the GPU's multiprocessors, where processes share it by NVIDIA's MPS");
  f("trainer", s.trainer,
    "command that trains instead, with {init}, {tokens}, {text}, {output} filled in; empty: none");
  f("tensorboard", s.tensorboard, "folder for TensorBoard's event file; empty: beside metrics.jsonl");
}

// RUN/result.json
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

TrainingJob load_job(const std::filesystem::path& run);                   // throws Error(input)
void save_job(const std::filesystem::path& run, const TrainingJob& job);  // makes the folder

// Tokens, updates and FLOPs of the whole job; the rest is known when it has run.
TrainingResult planned_result(const TrainingJob& job);

std::optional<TrainingResult> load_result(const std::filesystem::path& run);  // nullopt: not done yet
void save_result(const std::filesystem::path& run, const TrainingResult& result);

// Throw Error(input) naming the first setting that can't be; `where` stands before its name: training, seed.training.
void check_training(const TrainingSettings& settings, const std::string& where);
void check_job(const TrainingJob& job);
// That so many tokens make an update at least; `where` as above, with its dot: "", "seed.".
void check_updates(std::int64_t tokens, const TrainingSettings& training, int context, const std::string& where);

// SHA-256 of all that the final weights depend on, but for the device, the number of threads and a trainer of the
// user's own.
std::string job_sha256(const TrainingJob& job);

// Sequences of an update, and updates of the whole job.
int batch_sequences(const TrainingJob& job);
std::int64_t update_count(const TrainingJob& job);

}  // namespace btm
