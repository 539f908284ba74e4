#include "btm/report/evaluation_table.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>

#include "btm/core/format.h"
#include "btm/core/progress.h"
#include "btm/report/evaluation_reading.h"
#include "btm/report/quality_text.h"
#include "btm/report/text_table.h"

namespace btm {

namespace {

// Stand for the start and the end of bold text while the table is laid out: characters of no width.
constexpr std::string_view kBold = "\u2061", kPlain = "\u2062";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string finish(const std::string& text, TableStyle style) {
  bool terminal = style == TableStyle::terminal;
  return replaced(replaced(text, kBold, terminal ? "\033[1m" : ""), kPlain, terminal ? "\033[0m" : "");
}

std::string emphasised(const std::string& text, TableStyle style) {
  if (style == TableStyle::markdown) return fmt::format("**{}**", text);
  return fmt::format("{}{}{}", kBold, text, kPlain);
}

using Value = std::optional<double>;

// The cells of one column of qualities, the least one emphasised (all that show the same digits).
std::vector<std::string> quality_cells(const std::vector<Value>& values, std::string (*text)(double),
                                       TableStyle style) {
  double least = std::numeric_limits<double>::infinity();
  for (const Value& value : values) least = std::min(least, value.value_or(least));
  std::vector<std::string> cells;
  for (const Value& value : values) {
    std::string cell = value ? text(*value) : "-";
    cells.push_back(value && cell == text(least) ? emphasised(cell, style) : cell);
  }
  return cells;
}

struct Table {
  TextTable table;
  std::vector<std::vector<std::string>> columns;
  std::vector<std::string> captions;  // of groups of columns; an empty one continues the group before it

  void add(const std::string& caption, const std::string& title, std::vector<std::string> cells,
           Align align = Align::right) {
    table.columns.push_back({title, align});
    columns.push_back(std::move(cells));
    captions.push_back(caption);
  }
};

constexpr const char* kOwnGroup = " ";  // a column outside of all groups

// A line above the titles with the caption of each group over its first column.
std::string caption_line(const Table& table) {
  std::string line;
  int offset = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    int width = display_width(table.table.columns[i].title);
    for (const std::string& cell : table.columns[i]) width = std::max(width, display_width(cell));
    if (const std::string& caption = table.captions[i]; !caption.empty() && caption != kOwnGroup) {
      bool right = table.table.columns[i].align == Align::right;
      int start = offset + (right ? width - display_width(table.table.columns[i].title) : 0);
      line.resize(static_cast<std::size_t>(std::max<int>(start, static_cast<int>(line.size()) + 1)), ' ');
      line += caption;
    }
    offset += width + kColumnGap;
  }
  return line.empty() ? "" : line + "\n";
}

std::string render(Table table, const std::vector<std::size_t>& rules, TableStyle style) {
  bool markdown = style == TableStyle::markdown;
  std::string head = markdown ? "" : caption_line(table);
  for (std::size_t row = 0; row < table.columns.front().size(); ++row) {
    if (std::find(rules.begin(), rules.end(), row) != rules.end()) table.table.rows.emplace_back();
    auto& cells = table.table.rows.emplace_back();
    for (const auto& column : table.columns) cells.push_back(column[row]);
  }
  if (!markdown) return finish(head + to_text(table.table), style);
  std::string caption;
  for (std::size_t i = 0; i < table.captions.size(); ++i) {
    if (!table.captions[i].empty()) caption = table.captions[i] == kOwnGroup ? "" : table.captions[i] + ", ";
    table.table.columns[i].title = caption + table.table.columns[i].title;
  }
  return to_markdown(table.table);
}

std::vector<std::string> each(const Json& rows, const std::function<std::string(const Json&)>& f) {
  std::vector<std::string> cells;
  for (const Json& row : rows) cells.push_back(f(row));
  return cells;
}

void add_qualities(Table& table, const Json& rows, const std::string& caption, const char* key,
                   std::string (*text)(double), TableStyle style) {
  std::string title = caption;
  for (const char* role : {"train", "novel", "all"}) {
    std::vector<Value> values;
    for (const Json& row : rows) {
      const Json& mean = row.at("mean").at(role);
      values.push_back(mean.is_null() ? Value() : Value(mean.at(key).get<double>()));
    }
    if (std::none_of(values.begin(), values.end(), [](const Value& value) { return value.has_value(); })) continue;
    table.add(title, role, quality_cells(values, text, style));
    title.clear();
  }
}

// Rules before the first mixture and before the single experts, where something stands above.
std::vector<std::size_t> rules_of(const Json& rows) {
  auto group = [](const std::string& model) {
    if (model == "seed" || model == "dense" || model == "demix") return 0;
    return model == "best_single" || model == "oracle" ? 2 : 1;
  };
  std::vector<std::size_t> rules;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (group(rows[i].at("model")) != group(rows[i - 1].at("model"))) rules.push_back(i);
  }
  return rules;
}

std::string measured(const Json& evaluation) {
  int train = 0, novel = 0;
  std::int64_t tokens = 0;
  for (const Json& domain : evaluation.at("domains")) {
    ++(domain.at("role") == "train" ? train : novel);
    tokens += domain.at("tokens").get<std::int64_t>();
  }
  return fmt::format(
      "Means over {} train and {} novel domains, {} test tokens in all. Use: experts run per token, their "
      "weights' memory.\n",
      train, novel, format_count(static_cast<double>(tokens)));
}

// How the models were trained: a line for all rows of the same training.
std::string training_block(const Json& rows, TableStyle style) {
  std::vector<std::pair<const Json*, int>> trainings;  // its first row, how many more
  for (const Json& row : rows) {
    auto same = std::ranges::find_if(
        trainings, [&row](const auto& item) { return item.first->at("training") == row.at("training"); });
    if (same == trainings.end()) {
      trainings.emplace_back(&row, 0);
    } else {
      ++same->second;
    }
  }
  std::vector<std::string> models, updates, speeds, bytes;
  for (const auto& [row, more] : trainings) {
    const Json& training = row->at("training");
    const std::string model = row->at("model");
    models.push_back(more == 0 ? model : fmt::format("{} and {} more", model, more));
    updates.push_back(format_count(training.value("updates", 0.0)));
    const bool timed = training.contains("updates_per_second");
    speeds.push_back(timed ? format_count(training.at("updates_per_second").get<double>()) : "-");
    const double synchronised = training.value("bytes_per_update", 0.0);
    bytes.push_back(synchronised > 0 ? bytes_text(synchronised) : "none");
  }
  Table table;
  table.add(kOwnGroup, "trained alike", models, Align::left);
  table.add(kOwnGroup, "updates", updates);
  table.add(kOwnGroup, "updates/s", speeds);
  table.add(kOwnGroup, "synchronised per update", bytes);
  return render(std::move(table), {}, style);
}

std::string domain_block(const Json& evaluation, std::size_t first, std::size_t last, TableStyle style) {
  const Json& rows = evaluation.at("rows");
  Table table;
  std::vector<std::string> names, roles;
  std::vector<std::size_t> rules;
  for (const auto& [name, domain] : evaluation.at("domains").items()) {
    std::string role = domain.at("role");
    if (!roles.empty() && role != roles.back()) rules.push_back(names.size());
    names.push_back(name);
    roles.push_back(role);
  }
  std::vector<std::vector<std::string>> cells(last - first);
  for (const std::string& name : names) {
    std::vector<Value> values;
    for (const Json& row : rows) values.emplace_back(row.at("domains").at(name).at("perplexity").get<double>());
    auto marked = quality_cells(values, perplexity_text, style);
    for (std::size_t i = first; i < last; ++i) cells[i - first].push_back(marked[i]);
  }
  table.add(kOwnGroup, "perplexity", names, Align::left);
  table.add(kOwnGroup, "role", roles, Align::left);
  for (std::size_t i = first; i < last; ++i) table.add(kOwnGroup, rows[i].at("model"), cells[i - first]);
  return render(std::move(table), rules, style);
}

// Whether every block of so many models is narrow enough.
bool fits(const Json& evaluation, std::size_t most) {
  constexpr int kWidest = 120;  // of all
  constexpr int kNumber = 8;    // columns that a perplexity takes at most, as a rule
  const Json& rows = evaluation.at("rows");
  int left = display_width("perplexity");
  for (const auto& [name, domain] : evaluation.at("domains").items()) left = std::max(left, display_width(name));
  left += kColumnGap + display_width("train");
  int width = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i % most == 0) width = left;
    width += kColumnGap + std::max(kNumber, display_width(rows[i].at("model").get<std::string>()));
    if (width > kWidest) return false;
  }
  return true;
}

std::string models_table(const Json& evaluation, TableStyle style) {
  const Json& rows = evaluation.at("rows");
  if (rows.empty()) return "no results\n";
  Table table;
  table.add(kOwnGroup, "model", each(rows, [](const Json& row) { return row.at("model").get<std::string>(); }),
            Align::left);
  add_qualities(table, rows, "perplexity", "perplexity", perplexity_text, style);
  add_qualities(table, rows, "bits per byte", "bits_per_byte", bits_text, style);
  auto training = [&rows](const char* key, std::string (*text)(double)) {
    return each(rows, [=](const Json& row) { return text(row.at("training").at(key).get<double>()); });
  };
  table.add("training", "tokens", training("tokens", format_count));
  table.add("", "FLOPs", training("flops", format_count));
  table.add("", "device", training("device_seconds", format_duration));
  table.add("use", "experts",
            each(rows, [](const Json& row) { return fmt::format("{}", row.at("experts_per_token").get<double>()); }));
  table.add("", "memory", each(rows, [](const Json& row) { return bytes_text(row.at("memory_bytes").get<double>()); }));
  table.add("", "tokens/s",
            each(rows, [](const Json& row) { return format_count(row.at("tokens_per_second").get<double>()); }));
  return render(std::move(table), rules_of(rows), style) + "\n" + measured(evaluation) + "\n" +
         training_block(rows, style);
}

std::string domains_table(const Json& evaluation, TableStyle style) {
  const Json& rows = evaluation.at("rows");
  if (rows.empty()) return "";
  if (style == TableStyle::markdown) return domain_block(evaluation, 0, rows.size(), style);
  std::size_t most = rows.size(), blocks = 1;
  while (most > 1 && !fits(evaluation, most)) {
    ++blocks;
    most = (rows.size() + blocks - 1) / blocks;
  }
  std::string text;
  for (std::size_t first = 0; first < rows.size(); first += most) {
    if (first > 0) text += "\n";
    text += domain_block(evaluation, first, std::min(rows.size(), first + most), style);
  }
  return text;
}

}  // namespace

TableStyle table_style(std::FILE* stream) {
  return is_terminal(stream) ? TableStyle::terminal : TableStyle::plain;
}

std::string evaluation_table(const Json& evaluation, TableStyle style) {
  return reading(kEvaluation, [&] { return models_table(evaluation, style); });
}

std::string domain_table(const Json& evaluation, TableStyle style) {
  return reading(kEvaluation, [&] { return domains_table(evaluation, style); });
}

std::string evaluation_markdown(const Json& evaluation) {
  return "# Evaluation\n\n" + evaluation_table(evaluation, TableStyle::markdown) + "\n## By domain\n\n" +
         domain_table(evaluation, TableStyle::markdown);
}

}  // namespace btm
