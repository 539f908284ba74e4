#include <fmt/format.h>

#include "btm/report/data_table.h"
#include "btm/report/markup.h"

namespace btm {
namespace {

std::string group_row(const DataTable& table) {
  std::string row;
  bool any = false;
  for (std::size_t i = 0; i < table.columns.size();) {
    const std::string& group = table.columns[i].group;
    std::size_t end = i + 1;
    while (!group.empty() && end < table.columns.size() && table.columns[end].group == group) ++end;
    row += group.empty()
               ? "<td></td>"
               : fmt::format("<th class=\"first\" colspan=\"{}\" scope=\"colgroup\">{}</th>", end - i, escaped(group));
    any = any || !group.empty();
    i = end;
  }
  return any ? "<tr class=\"groups\">" + row + "</tr>\n" : "";
}

// A line sets the groups of columns apart.
bool opens_group(const DataTable& table, std::size_t column) {
  return column > 0 && table.columns[column].group != table.columns[column - 1].group;
}

std::string classes(const DataTable& table, std::size_t column, bool best) {
  std::string names = table.columns[column].align == Align::left ? "left" : "";
  if (opens_group(table, column)) names += " first";
  if (best) names += " best";
  return names.empty() ? "" : fmt::format(" class=\"{}\"", names[0] == ' ' ? names.substr(1) : names);
}

std::string cell_of(const DataTable& table, std::size_t column, const DataCell& cell) {
  const char* tag = column == 0 ? "th" : "td";
  std::string attributes = classes(table, column, cell.best);
  if (column == 0) attributes += " scope=\"row\"";
  if (cell.value) attributes += fmt::format(" data-value=\"{}\"", *cell.value);
  if (!cell.note.empty()) attributes += fmt::format(" title=\"{}\"", escaped(cell.note));
  return fmt::format("<{}{}>{}</{}>", tag, attributes, escaped(cell.text), tag);
}

}  // namespace

std::string to_html(const DataTable& table) {
  std::string html = fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>\n"
      "<caption><span>{0}</span></caption>\n<thead>\n",
      escaped(table.caption));
  html += group_row(table) + "<tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    html += fmt::format("<th scope=\"col\"{}>{}</th>", classes(table, i, false), escaped(table.columns[i].title));
  }
  html += "</tr>\n</thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) html += cell_of(table, i, row[i]);
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table></div>\n";
}

}  // namespace btm
