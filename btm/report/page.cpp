#include "btm/report/page.h"

#include <fmt/format.h>

#include <map>
#include <string_view>

#include "btm/report/assets.h"
#include "btm/report/data_table.h"
#include "btm/report/markup.h"

namespace btm {
namespace {

// One pass: what is put in is not looked at again, whatever it contains.
std::string filled(std::string_view page, const std::map<std::string_view, std::string_view>& values) {
  std::string result;
  for (std::size_t at; (at = page.find("{{")) != page.npos;) {
    std::size_t end = page.find("}}", at);
    result.append(page.substr(0, at)).append(values.at(page.substr(at + 2, end - at - 2)));
    page.remove_prefix(end + 2);
  }
  return result.append(page);
}

std::string highlight_html(const Highlight& highlight) {
  return fmt::format("<div class=\"highlight\"><dt>{}</dt><dd>{}</dd><dd class=\"muted\">{}</dd></div>\n",
                     escaped(highlight.label), escaped(highlight.value), escaped(highlight.note));
}

std::string figure_html(const Figure& figure) {
  std::string caption = figure.caption.empty() ? "" : fmt::format("<p>{}</p>", escaped(figure.caption));
  return fmt::format(
      "<figure id=\"figure-{}\"><figcaption><h3>{}</h3>{}</figcaption>\n<div class=\"scroll\" tabindex=\"0\" "
      "role=\"region\" aria-label=\"{}\">{}</div></figure>\n",
      slug(figure.name), escaped(figure.title), caption, escaped(figure.title), inline_svg(figure.page));
}

std::string section_html(const Section& section) {
  std::string html = fmt::format("<section id=\"{}\"><h2>{}</h2>\n", slug(section.title), escaped(section.title));
  if (!section.note.empty()) html += fmt::format("<p class=\"note\">{}</p>\n", escaped(section.note));
  std::string figures;
  for (const Figure& figure : section.figures) figures += figure_html(figure);
  if (!figures.empty()) {
    html += fmt::format("<div class=\"figures{}\">\n{}</div>\n", section.alternatives ? " alternatives" : "", figures);
  }
  for (const DataTable& table : section.tables) html += to_html(table);
  return html + "</section>\n";
}

}  // namespace

std::string to_page(const Report& report) {
  std::string title = escaped(report.title), facts = escaped(report.facts), links, highlights, sections;
  for (const Section& section : report.sections) {
    links += fmt::format("<a href=\"#{}\">{}</a>\n", slug(section.title), escaped(section.title));
    sections += section_html(section);
  }
  for (const Highlight& highlight : report.highlights) highlights += highlight_html(highlight);
  if (!highlights.empty()) {
    highlights = fmt::format("<p class=\"lead\">Perplexity, mean over all domains</p>\n<dl>\n{}</dl>\n", highlights);
  }
  return filled(kPageTemplate, {{"title", title},
                                {"facts", facts},
                                {"links", links},
                                {"highlights", highlights},
                                {"sections", sections},
                                {"page_style", kPageStyle},
                                {"plot_style", kPlotStyle},
                                {"script", kPageScript}});
}

}  // namespace btm
