#include "btm/plan/forest_tokens.h"

#include <algorithm>
#include <optional>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/core/sums.h"

namespace btm {
namespace {

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

// The report of the tokens that are there, if they are those of the domain's text and the tokenizer. Throws
// Error(input) where they aren't and models were trained on them.
std::optional<DomainReport> report_of_tokens(const DomainSettings& domain, const std::string& name,
                                             const ForestPaths& paths, const Tokenizer& tokenizer, bool in_use) {
  const fs::path folder = paths.tokens(name);
  if (!fs::exists(folder)) return std::nullopt;
  DomainReport report = load_domain_report(folder);
  const bool same_tokenizer = report.tokenizer_sha256.empty() || report.tokenizer_sha256 == tokenizer.sha256();
  if (same_tokenizer && unchanged(domain, name, report, paths)) return report;
  if (!in_use) return std::nullopt;
  if (!same_tokenizer) {
    throw input_error(
        "domains.{}: its tokens were made by another tokenizer than the forest's, and models were trained on "
        "others; put back what was in {}",
        name, folder.string());
  }
  throw input_error(
      "domains.{}: its text has changed since models were trained on it ({} train documents then); put the old text "
      "back, or give the new text a domain of its own",
      name, report.train.documents);
}

void log_tokens(const std::string& name, const DomainReport& report) {
  log_info(fmt::format("tokens: {:<20} {:>8} train  {:>8} dev  {:>8} test  ({} documents{})", name,
                       format_count(static_cast<double>(report.train.tokens)),
                       format_count(static_cast<double>(report.dev.tokens)),
                       format_count(static_cast<double>(report.test.tokens)),
                       report.train.documents + report.dev.documents + report.test.documents,
                       report.duplicates ? fmt::format(", {} duplicates dropped", report.duplicates) : ""));
}

}  // namespace

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
  const std::int64_t least_tokens = std::int64_t{plan.model.config.context} + 1;
  std::vector<DomainReport> reports;
  for (const auto& [name, domain] : plan.domains) {
    throw_if_interrupted();
    if (auto there = report_of_tokens(domain, name, paths, tokenizer, in_use.contains(name))) {
      reports.push_back(*there);
      continue;
    }
    const fs::path folder = paths.tokens(name);
    make_folders(folder.parent_path());
    if (neighbours.take_tokens(name, domain.text, tokenizer.sha256(), folder)) {
      reports.push_back(load_domain_report(folder));
      continue;
    }
    reports.push_back(prepare_domain(domain.text, name, tokenizer, folder, least_tokens, threads));
    log_tokens(name, reports.back());
  }
  return reports;
}

}  // namespace btm
