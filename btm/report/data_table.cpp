#include "btm/report/data_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace btm {

DataCell text_cell(const std::string& text) {
  return {text, {}, "", false};
}

DataCell number_cell(const Json& json, const char* key, std::string (*text)(double)) {
  auto found = json.find(key);
  if (found == json.end() || found->is_null()) return {};
  double value = found->get<double>();
  return {text(value), value, "", false};
}

std::string full_title(const DataColumn& column) {
  return column.group.empty() ? column.title : column.group + ", " + column.title;
}

void drop_empty_columns(DataTable& table) {
  for (std::size_t i = table.columns.size(); i-- > 0;) {
    bool used =
        std::any_of(table.rows.begin(), table.rows.end(), [i](const auto& row) { return !row[i].text.empty(); });
    if (used) continue;
    table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(i));
    for (auto& row : table.rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void mark_least(const std::vector<DataCell*>& cells) {
  const DataCell* least = nullptr;
  for (const DataCell* cell : cells) {
    if (cell->value && (!least || *cell->value < *least->value)) least = cell;
  }
  for (DataCell* cell : cells) cell->best = cell->value && cell->text == least->text;
}

void mark_best(DataTable& table) {
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::vector<DataCell*> cells;
    for (auto& row : table.rows) cells.push_back(&row[i]);
    if (table.columns[i].least_is_best) mark_least(cells);
  }
}

std::string csv_line(const CsvRow& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ',';
    if (cells[i].find_first_of("\",\r\n") == std::string::npos) {
      line += cells[i];
      continue;
    }
    line += '"';
    for (char c : cells[i]) line.append(c == '"' ? 2 : 1, c);
    line += '"';
  }
  return line + "\r\n";
}

std::string csv_number(double value) {
  return fmt::format("{}", value);
}

std::string to_csv(const DataTable& table) {
  CsvRow titles;
  for (const DataColumn& column : table.columns) titles.push_back(full_title(column));
  std::string text = csv_line(titles);
  for (const auto& row : table.rows) {
    CsvRow cells;
    for (const DataCell& cell : row) cells.push_back(cell.value ? csv_number(*cell.value) : cell.text);
    text += csv_line(cells);
  }
  return text;
}

}  // namespace btm
