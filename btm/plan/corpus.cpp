#include "btm/plan/corpus.h"

#include <algorithm>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/interrupt.h"
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

std::int64_t least_tokens(const Plan& plan) {
  return std::int64_t{plan.model.config.context} + 1;
}

// The report of tokens that stay: the folder is swapped for another with the same files, so that the report and its
// hash change in one step.
void replace_report(const DomainReport& report, const fs::path& folder) {
  FolderWriter writer(folder);
  for (const auto& entry : fs::directory_iterator(folder)) {
    link_or_copy(entry.path(), writer.path() / entry.path().filename());
  }
  save_domain_report(report, writer.path());
  update_sum(writer.path(), kDomainReportFile);
  writer.publish();
}

// The tokens of a domain are still those of its text.
bool unchanged(const DomainSettings& domain, const std::string& name, const DomainReport& report,
               const ForestPaths& paths) {
  std::string files = files_sha256(domain.text, name);
  if (files == report.files_sha256) return true;
  DomainReport now;
  read_documents(domain.text, name, now, [](std::string&&, const std::string&, Split) {});
  if (now.text_sha256 != report.text_sha256) return false;
  DomainReport updated = report;  // same documents in files that were touched, moved or split
  updated.files_sha256 = files;
  replace_report(updated, paths.tokens(name));
  return true;
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

std::set<std::string> domains_in_use(const Forest& forest) {
  std::set<std::string> result;
  const auto take = [&result](const ExpertInfo& info) {
    if (!info.imported) result.insert(info.domains.begin(), info.domains.end());
  };
  if (is_published(forest.paths.seed())) take(load_expert(forest.paths.seed()));
  std::ranges::for_each(forest.experts, take);
  return result;
}

std::vector<DomainReport> ensure_tokens(const Plan& plan, const ForestPaths& paths, const Tokenizer& tokenizer,
                                        const std::set<std::string>& in_use, const Neighbours& neighbours,
                                        int threads) {
  std::vector<DomainReport> reports;
  for (const auto& [name, domain] : plan.domains) {
    throw_if_interrupted();
    fs::path folder = paths.tokens(name);
    if (fs::exists(folder)) {
      DomainReport report = load_domain_report(folder);
      const bool same_tokenizer = report.tokenizer_sha256.empty() || report.tokenizer_sha256 == tokenizer.sha256();
      if (same_tokenizer && unchanged(domain, name, report, paths)) {
        reports.push_back(report);
        continue;
      }
      if (!same_tokenizer && in_use.contains(name)) {
        throw input_error(
            "domains.{}: its tokens were made by another tokenizer than the forest's, and models were trained on "
            "others; put back what was in {}",
            name, folder.string());
      }
      if (in_use.contains(name)) {
        throw input_error(
            "domains.{}: its text has changed since models were trained on it ({} train documents then); put the old "
            "text back, or give the new text a domain of its own",
            name, report.train.documents);
      }
    }
    make_folders(folder.parent_path());
    if (neighbours.take_tokens(name, domain.text, tokenizer.sha256(), folder)) {
      reports.push_back(load_domain_report(folder));
      continue;
    }
    DomainReport report = prepare_domain(domain.text, name, tokenizer, folder, least_tokens(plan), threads);
    log_info(fmt::format("tokens: {:<20} {:>8} train  {:>8} dev  {:>8} test  ({} documents{})", name,
                         format_count(static_cast<double>(report.train.tokens)),
                         format_count(static_cast<double>(report.dev.tokens)),
                         format_count(static_cast<double>(report.test.tokens)),
                         report.train.documents + report.dev.documents + report.test.documents,
                         report.duplicates ? fmt::format(", {} duplicates dropped", report.duplicates) : ""));
    reports.push_back(report);
  }
  return reports;
}

}  // namespace btm
