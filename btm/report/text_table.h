// Tables for terminals and Markdown.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace btm {

enum class Align { left, right };
enum class TableStyle { plain, terminal, markdown };  // terminal and markdown show the best of each column bold

struct TableColumn {
  std::string title;
  Align align = Align::right;
};

struct TextTable {
  std::vector<TableColumn> columns;
  std::vector<std::vector<std::string>> rows;  // short rows are filled with empty cells; an empty row is a rule
};

constexpr int kColumnGap = 2;                     // spaces between the columns of to_text
std::string to_text(const TextTable& table);      // aligned with spaces, a rule under the head; no trailing spaces
std::string to_markdown(const TextTable& table);  // pipes in cells are escaped, rules left out

TableStyle table_style(std::FILE* stream);  // terminal or plain

// Columns of a terminal that valid UTF-8 takes: 0 for combining marks, 2 for wide characters. Invalid bytes count 1.
int display_width(std::string_view text);

}  // namespace btm
