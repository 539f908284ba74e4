#include "btm/plan/forest_tokenizer.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/core/log.h"
#include "btm/core/sums.h"
#include "btm/data/sample.h"

namespace btm {
namespace {

// The settings that the tokenizer was made with; kept beside it, because tokenizer.json doesn't say.
Json wanted_recipe(const Plan& plan) {
  if (!plan.tokenizer.from.empty()) return {{"sha256", Tokenizer::load(plan.tokenizer.from).sha256()}};
  return {{"vocab_size", plan.tokenizer.vocab_size}, {"sample_bytes", plan.tokenizer.sample_bytes}};
}

// Those and the text: domains may come and go while the tokenizer stays, but another forest's is the same one only if
// it was made from the same.
Json full_recipe(const Plan& plan) {
  Json recipe = wanted_recipe(plan);
  if (!plan.tokenizer.from.empty()) return recipe;
  for (const std::string& name : domains_of_role(plan, Role::train)) {
    recipe["files_sha256"][name] = files_sha256(find_domain(plan, name).text, name);
  }
  return recipe;
}

// Of the forest's tokenizer; null if there is none. Throws Error(input).
Json made_recipe(const ForestPaths& paths) {
  const fs::path file = paths.tokenizer() / kTokenizerRecipe;
  if (!fs::exists(file)) return nullptr;
  return read_json_object(file);
}

void check_made_as(const Json& wanted, const Json& made, const ForestPaths& paths) {
  for (const auto& [key, value] : wanted.items()) {
    if (made.value(key, Json()) == value) continue;
    throw input_error(
        "tokenizer.{}: the forest's tokenizer was made with {}, the plan now says {}; every token and model depends on "
        "it: set it back, or grow another forest (this one is {})",
        key == "sha256" ? "from" : key, made.contains(key) ? made[key].dump() : "other settings", value.dump(),
        paths.root.string());
  }
}

Tokenizer make_tokenizer(const Plan& plan, int threads) {
  if (!plan.tokenizer.from.empty()) return Tokenizer::load(plan.tokenizer.from);
  NamedList<TextSettings> texts;
  for (const std::string& name : domains_of_role(plan, Role::train)) {
    texts.emplace_back(name, find_domain(plan, name).text);
  }
  return train_bpe(balanced_sample(texts, plan.tokenizer.sample_bytes), plan.tokenizer.vocab_size, threads);
}

}  // namespace

bool check_tokenizer_unchanged(const Plan& plan, const ForestPaths& paths) {
  const Json made = made_recipe(paths);
  if (made.is_null()) return false;
  const bool away = made.contains("sha256") && !plan.tokenizer.from.empty() && !fs::exists(plan.tokenizer.from);
  if (!away) check_made_as(wanted_recipe(plan), made, paths);
  return true;
}

bool has_tokenizer_of(const Plan& plan) {
  if (!plan.tokenizer.from.empty()) return false;
  const Json made = made_recipe({plan.forest}), wanted = wanted_recipe(plan);
  return !made.is_null() && std::ranges::all_of(wanted.items(), [&made](const auto& setting) {
    return made.value(setting.key(), Json()) == setting.value();
  });
}

Tokenizer ensure_tokenizer(const Plan& plan, const ForestPaths& paths, const Neighbours& neighbours, int threads) {
  if (check_tokenizer_unchanged(plan, paths)) return Tokenizer::load(paths.tokenizer());
  const std::string recipe = full_recipe(plan).dump(2) + "\n";
  if (neighbours.take_tokenizer(recipe, paths.tokenizer())) return Tokenizer::load(paths.tokenizer());
  log_info(plan.tokenizer.from.empty() ? fmt::format("tokenizer: training {} tokens", plan.tokenizer.vocab_size)
                                       : fmt::format("tokenizer: {}", plan.tokenizer.from));
  Tokenizer tokenizer = make_tokenizer(plan, threads);
  FolderWriter folder(paths.tokenizer());
  tokenizer.save(folder.path());
  write_file(folder.path() / kTokenizerRecipe, recipe);
  write_sums(folder.path());
  folder.publish();
  return tokenizer;
}

}  // namespace btm
