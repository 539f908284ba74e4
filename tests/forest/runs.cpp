#include "tests/forest/runs.h"

#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/model/checkpoint.h"

namespace btm::test {

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
  write_file(run / "model" / "tokenizer.json", tokenizer);
  write_file(run / "model" / "tokenizer_config.json", "{}");
  write_file(run / "metrics.jsonl", "{\"update\":1,\"loss\":2.5}\n");
  write_file(run / "result.json", "{}");
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
