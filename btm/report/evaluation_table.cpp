#include "btm/report/evaluation_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "btm/core/format.h"
#include "btm/report/evaluation_data.h"
#include "btm/report/evaluation_reading.h"

namespace btm {
namespace {

std::string measured(const Json& evaluation) {
  int train = 0, novel = 0;
  double tokens = 0, least = std::numeric_limits<double>::max();
  std::string shortest;
  for (const auto& [name, domain] : evaluation.at("domains").items()) {
    ++(domain.at("role") == "train" ? train : novel);
    const double own = domain.at("tokens");
    tokens += own;
    if (own < least) least = own, shortest = name;
  }
  return fmt::format(
      "Means over {} train and {} novel domains; {} test tokens, {} the fewest ({}).\n"
      "Use: experts run per token, their weights' memory.\n",
      train, novel, format_count(tokens), format_count(least), shortest);
}

std::string models_text(const Json& evaluation, TableStyle style) {
  if (evaluation.at("rows").empty()) return "no results\n";
  return to_text(results_data(evaluation), style) + "\n" + measured(evaluation) + "\n" +
         to_text(training_data(evaluation), style);
}

// Names and roles of the domains and the models from `first` to before `last`, under one heading.
DataTable block_of(const DataTable& domains, std::size_t first, std::size_t last) {
  DataTable block = domains;
  auto keep = [first, last](auto& columns) {
    const auto at = columns.begin();
    columns.erase(at + static_cast<std::ptrdiff_t>(kBeforeModels + last), columns.end());
    columns.erase(at + 2, at + static_cast<std::ptrdiff_t>(kBeforeModels + first));
  };
  keep(block.columns);
  for (auto& row : block.rows) keep(row);
  for (DataColumn& column : block.columns) column.group.clear();
  block.columns.front().title = "perplexity";
  return block;
}

// Whether every block of so many models is narrow enough.
bool fits(const DataTable& domains, std::size_t most) {
  constexpr int kWidest = 120;  // of all
  constexpr int kNumber = 8;    // columns that a perplexity takes at most, as a rule
  int left = display_width("perplexity");
  for (const auto& row : domains.rows) left = std::max(left, display_width(row.front().text));
  left += kColumnGap + display_width("train");
  int width = 0;
  for (std::size_t i = kBeforeModels; i < domains.columns.size(); ++i) {
    if ((i - kBeforeModels) % most == 0) width = left;
    width += kColumnGap + std::max(kNumber, display_width(domains.columns[i].title));
    if (width > kWidest) return false;
  }
  return true;
}

std::string domains_text(const Json& evaluation, TableStyle style) {
  const DataTable domains = domain_data(evaluation);
  const std::size_t models = domains.columns.size() - kBeforeModels;
  if (models == 0) return "";
  if (style == TableStyle::markdown) return to_text(block_of(domains, 0, models), style);
  std::size_t most = models, blocks = 1;
  while (most > 1 && !fits(domains, most)) {
    ++blocks;
    most = (models + blocks - 1) / blocks;
  }
  std::string text;
  for (std::size_t first = 0; first < models; first += most) {
    if (first > 0) text += "\n";
    text += to_text(block_of(domains, first, std::min(models, first + most)), style);
  }
  return text;
}

}  // namespace

std::string evaluation_table(const Json& evaluation, TableStyle style) {
  return reading(kEvaluation, [&] { return models_text(evaluation, style); });
}

std::string domain_table(const Json& evaluation, TableStyle style) {
  return reading(kEvaluation, [&] { return domains_text(evaluation, style); });
}

std::string evaluation_markdown(const Json& evaluation) {
  return "# Evaluation\n\n" + evaluation_table(evaluation, TableStyle::markdown) + "\n## By domain\n\n" +
         domain_table(evaluation, TableStyle::markdown);
}

}  // namespace btm
