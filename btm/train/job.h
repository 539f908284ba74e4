// What is trained: RUN/run.yaml.
#pragma once

#include <cstdint>
#include <filesystem>
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
  std::string init;         // checkpoint folder, whose context may be longer; "": random
  std::string init_sha256;  // weights_sha256 of it, checked at the start
  std::string tokenizer;    // folder with tokenizer.json, copied into the result
  ModelConfig model;        // resolved; equals init's but for the context
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
  f("threads", s.threads, "that train it at once");
  f("device", s.device, "cpu, cuda or auto");
  f("gpu_share", s.gpu_share, "percent of the GPU's multiprocessors, where processes share it by NVIDIA's MPS");
  f("trainer", s.trainer,
    "command that trains instead, with {init}, {tokens}, {text}, {output}, {token_count}, {threads} filled in; empty: "
    "none");
  f("tensorboard", s.tensorboard, "folder for TensorBoard's event file; empty: beside metrics.jsonl");
}

TrainingJob load_job(const std::filesystem::path& run);                   // throws Error(input)
void save_job(const std::filesystem::path& run, const TrainingJob& job);  // makes the folder

// SHA-256 of all that the final weights depend on, but for the device, the number of threads and a trainer of the
// user's own.
std::string job_sha256(const TrainingJob& job);

// Sequences of an update, and updates of the whole job.
int batch_sequences(const TrainingJob& job);
std::int64_t update_count(const TrainingJob& job);

}  // namespace btm
