#include <fmt/format.h>

#include <algorithm>

#include "btm/report/data_table.h"

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
  const bool terminal = style == TableStyle::terminal;
  return replaced(replaced(text, kBold, terminal ? "\033[1m" : ""), kPlain, terminal ? "\033[0m" : "");
}

std::string cell_text(const DataCell& cell, TableStyle style) {
  if (cell.text.empty()) return "-";
  if (!cell.best) return cell.text;
  if (style == TableStyle::markdown) return fmt::format("**{}**", cell.text);
  return fmt::format("{}{}{}", kBold, cell.text, kPlain);
}

bool heads_group(const DataTable& table, std::size_t column) {
  const std::string& group = table.columns[column].group;
  return !group.empty() && (column == 0 || table.columns[column - 1].group != group);
}

// A line above the titles with each group over its first column.
std::string group_line(const DataTable& table, const TextTable& text) {
  std::string line;
  int offset = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const int title = display_width(text.columns[i].title);
    int width = title;
    for (const auto& row : text.rows) width = row.empty() ? width : std::max(width, display_width(row[i]));
    if (heads_group(table, i)) {
      const int start = offset + (text.columns[i].align == Align::right ? width - title : 0);
      line.resize(static_cast<std::size_t>(std::max(start, static_cast<int>(line.size()) + 1)), ' ');
      line += table.columns[i].group;
    }
    offset += width + kColumnGap;
  }
  return line.empty() ? "" : line + "\n";
}

}  // namespace

std::string to_text(const DataTable& table, TableStyle style) {
  TextTable text;
  for (const DataColumn& column : table.columns) text.columns.push_back({column.title, column.align});
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    if (std::ranges::find(table.rules, row) != table.rules.end()) text.rows.emplace_back();
    auto& cells = text.rows.emplace_back();
    for (const DataCell& cell : table.rows[row]) cells.push_back(cell_text(cell, style));
  }
  if (style != TableStyle::markdown) return finish(group_line(table, text) + to_text(text), style);
  for (std::size_t i = 0; i < table.columns.size(); ++i) text.columns[i].title = full_title(table.columns[i]);
  return to_markdown(text);
}

}  // namespace btm
