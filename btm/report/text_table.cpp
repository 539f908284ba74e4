#include "btm/report/text_table.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>

#include "btm/core/terminal.h"

namespace btm {
namespace {

std::string padded(const std::string& text, int width, Align align) {
  std::string spaces(static_cast<std::size_t>(std::max(0, width - display_width(text))), ' ');
  return align == Align::left ? text + spaces : spaces + text;
}

// Cells as they are shown: a line break or a tab would tear the table, as would | in Markdown, which takes ` and < for
// markup (* is, for bold).
std::string shown(std::string text, bool markdown) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  for (std::size_t at = 0; markdown && (at = text.find_first_of("|`<", at)) != std::string::npos; at += 2)
    text.insert(at, 1, '\\');
  return text;
}

struct TableLayout {
  TextTable table;          // all rows whole, cells as shown
  std::vector<int> widths;  // of the columns
};

TableLayout lay_out(const TextTable& table, bool markdown) {
  TableLayout layout{table, {}};
  for (TableColumn& column : layout.table.columns) {
    column.title = shown(column.title, markdown);
    layout.widths.push_back(display_width(column.title));
  }
  for (auto& row : layout.table.rows) {
    if (row.empty()) continue;
    row.resize(table.columns.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = shown(row[i], markdown);
      layout.widths[i] = std::max(layout.widths[i], display_width(row[i]));
    }
  }
  return layout;
}

std::string rule(const TableLayout& layout) {
  std::string line;
  for (std::size_t i = 0; i < layout.widths.size(); ++i) {
    if (i) line += "──";
    for (int n = 0; n < layout.widths[i]; ++n) line += "─";
  }
  return line + "\n";
}

std::string text_line(const TableLayout& layout, const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i) line.append(kColumnGap, ' ');
    line += padded(cells[i], layout.widths[i], layout.table.columns[i].align);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string markdown_line(const TableLayout& layout, const std::vector<std::string>& cells) {
  std::string line = "|";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += fmt::format(" {} |", padded(cells[i], layout.widths[i], layout.table.columns[i].align));
  }
  return line + "\n";
}

std::vector<std::string> titles(const TableLayout& layout) {
  std::vector<std::string> cells;
  for (const TableColumn& column : layout.table.columns) cells.push_back(column.title);
  return cells;
}

}  // namespace

TableStyle table_style(std::FILE* stream) {
  return is_terminal(stream) ? TableStyle::terminal : TableStyle::plain;
}

int display_width(std::string_view text) {
  int width = 0;
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t character = 0;
    utf8proc_ssize_t bytes = utf8proc_iterate(at, left, &character);
    width += bytes > 0 ? utf8proc_charwidth(character) : 1;
    bytes = std::max<utf8proc_ssize_t>(bytes, 1);
    at += bytes;
    left -= bytes;
  }
  return width;
}

std::string to_text(const TextTable& table) {
  TableLayout layout = lay_out(table, false);
  std::string text = text_line(layout, titles(layout)) + rule(layout);
  for (const auto& row : layout.table.rows) text += row.empty() ? rule(layout) : text_line(layout, row);
  return text;
}

std::string to_markdown(const TextTable& table) {
  constexpr int kShortestRule = 3;  // dashes that all Markdown readers take
  TableLayout layout = lay_out(table, true);
  for (int& width : layout.widths) width = std::max(width, kShortestRule);
  std::string text = markdown_line(layout, titles(layout)) + "|";
  for (std::size_t i = 0; i < layout.widths.size(); ++i) {
    bool right = layout.table.columns[i].align == Align::right;
    text += fmt::format(" {:->{}}{} |", "", layout.widths[i] - right, right ? ":" : "");
  }
  text += "\n";
  for (const auto& row : layout.table.rows) {
    if (!row.empty()) text += markdown_line(layout, row);
  }
  return text;
}

}  // namespace btm
