// A table of results: as text, as HTML that can be sorted, and as CSV.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "btm/core/settings.h"
#include "btm/report/text_table.h"

namespace btm {

struct DataCell {
  std::string text;             // as shown
  std::optional<double> value;  // what it is sorted by, and all its digits for CSV
  std::string note;             // a tooltip
  bool best = false;
};

struct DataColumn {
  std::string group;  // a heading over neighbours of the same group; empty: none
  std::string title;
  Align align = Align::right;
  bool least_is_best = false;  // see mark_best
};

std::string full_title(const DataColumn& column);  // "GROUP, TITLE"

struct DataTable {
  std::string name;     // of the file, without .csv
  std::string caption;  // what a row is
  std::vector<DataColumn> columns;
  std::vector<std::vector<DataCell>> rows;
  std::vector<std::size_t> rules = {};  // rows that a line goes before, in text
};

DataCell text_cell(const std::string& text);
// The number under `key`, an empty cell if there is none.
DataCell number_cell(const Json& json, const char* key, std::string (*text)(double));

void drop_empty_columns(DataTable& table);
void mark_least(const std::vector<DataCell*>& cells);  // the least value, and those that show the same digits
void mark_best(DataTable& table);                      // that of each column that says so

// Aligned with spaces below a line of the groups, or Markdown, whose titles begin with them.
std::string to_text(const DataTable& table, TableStyle style);

std::string to_html(const DataTable& table);

using CsvRow = std::vector<std::string>;
std::string csv_line(const CsvRow& cells);  // RFC 4180: quotes where needed, doubled inside; ends with CR LF
std::string csv_number(double value);       // the shortest digits that read back as the same number
std::string to_csv(const DataTable& table);

}  // namespace btm
