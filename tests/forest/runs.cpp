#include "tests/forest/runs.h"

#include <fstream>

#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/forest/merge.h"
#include "btm/model/checkpoint.h"

namespace btm::test {
namespace {

// Unlike write_file it doesn't wait for the disk.
void put(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

ModelConfig tiny_config() {
  ModelConfig config;
  config.layers = 1;
  config.width = 8;
  config.heads = 2;
  config.context = 8;
  config.vocab_size = 16;
  return resolve(config);
}

void write_run(const fs::path& run, std::uint64_t seed, const ModelConfig& config, const std::string& tokenizer) {
  make_folders(run / "model");
  save_model(run / "model", random_model(config, seed), 0);
  put(run / "model" / "tokenizer.json", tokenizer);
  put(run / "model" / "tokenizer_config.json", "{}");
  put(run / "metrics.jsonl", "{\"update\":1,\"loss\":2.5}\n");
  put(run / "result.json", "{}");
}

ExpertInfo expert_info(const std::string& name, int cycle, std::vector<Parent> parents) {
  ExpertInfo info;
  info.name = name;
  info.kind = cycle == 0 ? "seed" : "expert";
  info.domains = {name};
  info.cycle = cycle;
  info.parents = std::move(parents);
  info.recipe = {{"tokens", 1000}, {"training", {{"clip", 1.0}, {"learning_rate", 2e-3}}}};
  info.tokens = 1000;
  info.updates = 10;
  info.flops = 1.25e9;
  info.device_seconds = 2.5;
  info.dev_loss = 3.125;
  info.tool_version = "0.1.0";
  return info;
}

ForestPaths plant(const fs::path& root) {
  ForestPaths paths{root};
  write_run(paths.run("seed"), 1);
  publish_model(paths.seed(), paths.run("seed"), expert_info("seed", 0, {}));
  return paths;
}

void grow_expert(const ForestPaths& paths, const std::string& name, int cycle, std::vector<Parent> parents,
                 std::uint64_t seed) {
  write_run(paths.run(name), seed + xxh3(name));
  merge_expert(paths, paths.run(name), expert_info(name, cycle, std::move(parents)));
}

}  // namespace btm::test
