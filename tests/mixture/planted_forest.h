// The forest of tests/oracle/mixture_cases.py: seed, dense, experts a, b, c; domains a, b, c and the novel "odd".
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/data/token_store.h"
#include "btm/forest/forest.h"
#include "btm/forest/merge.h"
#include "btm/mixture/evaluate.h"
#include "tests/support/temporary_folder.h"

namespace btm::test {

inline Json read_cases() {
  return Json::parse(read_file(oracle_folder() / "cases.json"));
}

inline ExpertInfo info_of(const std::string& name, const std::string& kind, std::int64_t tokens) {
  ExpertInfo info;
  info.name = name;
  info.kind = kind;
  info.domains = {name};
  info.cycle = kind == "expert" ? 1 : 0;
  info.recipe = {{"name", name}};
  info.tokens = tokens;
  info.flops = 1e6 * static_cast<double>(tokens);
  info.updates = tokens / 100;
  info.device_seconds = 1;
  info.threads = 2;
  return info;
}

inline fs::path run_of(const ForestPaths& paths, const std::string& name) {
  fs::path run = paths.run(name);
  make_folders(run);
  fs::copy(oracle_folder() / "models" / name, run / "model");
  return run;
}

inline void write_tokens(const ForestPaths& paths, const std::string& domain, const Json& texts, int vocab_size) {
  make_folders(paths.tokens(domain));
  for (const char* split : {"dev", "test"}) {
    TokenStoreWriter writer(paths.tokens(domain) / split, vocab_size);
    writer.add(texts[split].get<std::vector<TokenId>>());
    writer.publish();
  }
}

inline void plant(const ForestPaths& paths, const Json& cases,
                  const std::vector<std::string>& experts = {"a", "b", "c"}) {
  make_folders(paths.root);
  publish_model(paths.seed(), run_of(paths, "seed"), info_of("seed", "seed", 1000));
  ExpertInfo dense = info_of("dense", "dense", 1500);
  dense.parents = {{"seed", 1, ""}};
  publish_model(paths.comparison("dense"), run_of(paths, "dense"), dense);
  for (const std::string& name : experts) merge_expert(paths, run_of(paths, name), info_of(name, "expert", 500));
  make_folders(paths.tokenizer());
  fs::copy_file(paths.seed() / "tokenizer.json", paths.tokenizer() / "tokenizer.json");
  for (const auto& [domain, texts] : cases["texts"].items()) write_tokens(paths, domain, texts, cases["vocab_size"]);
}

inline EvaluateSettings settings_of(const Json& cases) {
  EvaluateSettings settings;
  settings.dev_sequences = cases["dev_sequences"];
  settings.tokens_per_domain = cases["test_tokens"];
  for (const auto& [row, losses] : cases["rows"].items()) {
    bool always = row == "seed" || row == "dense" || row == "best_single" || row == "oracle";
    if (!always) settings.mixtures.push_back(row);
  }
  return settings;
}

inline Json evaluate(const ForestPaths& paths, const EvaluateSettings& settings, int threads = 2,
                     const std::vector<EvaluationText>& texts = {}) {
  Forest forest = open_forest(paths.root);
  return evaluate_forest(forest, settings, evaluation_domains(forest), texts, {{Device::cpu, threads}, true});
}

inline const Json& row_of(const Json& evaluation, std::string_view model) {
  for (const Json& row : evaluation["rows"]) {
    if (row["model"].get<std::string>() == model) return row;
  }
  throw failure("no row {}", model);
}

class PlantedForest : public testing::Test {
 protected:
  Json cases_ = read_cases();
  TemporaryFolder folder_;
  ForestPaths paths_{folder_ / "forest"};
};

}  // namespace btm::test
