// What is called how in the folders that several libraries write and read: a checkpoint's and a run's
// (docs/formats.md). forest/paths.h has a forest's.
#pragma once

#include <filesystem>

namespace btm {

// Of a checkpoint: Hugging Face's names.
inline constexpr const char* kConfigFile = "config.json";
inline constexpr const char* kWeightsFile = "model.safetensors";
inline constexpr const char* kTokenizerFile = "tokenizer.json";

inline constexpr const char* kMetricsFile = "metrics.jsonl";  // of a run, and of the model that it left in a forest

// The folder of a training, RUN.
struct RunPaths {
  std::filesystem::path root;

  std::filesystem::path job() const { return root / "run.yaml"; }
  std::filesystem::path init() const { return root / "init"; }  // what `btm grow` made for it to start from
  std::filesystem::path lock() const { return root / "lock"; }
  std::filesystem::path log() const { return root / "log.txt"; }  // what it printed
  std::filesystem::path status() const { return root / "status.json"; }
  std::filesystem::path slurm() const { return root / "slurm.json"; }
  std::filesystem::path metrics() const { return root / kMetricsFile; }
  std::filesystem::path checkpoints() const { return root / "checkpoints"; }
  std::filesystem::path model() const { return root / "model"; }
  std::filesystem::path result() const { return root / "result.json"; }  // there when it is done

  // Of a trainer that is not btm's, while it works.
  std::filesystem::path trainer_init() const { return root / "random"; }
  std::filesystem::path trainer_text() const { return root / "text"; }
  std::filesystem::path trainer_output() const { return root / "output"; }
};

}  // namespace btm
