#include "btm/report/markup.h"

#include <fmt/format.h>

#include "btm/report/text_table.h"

namespace btm {

std::string escaped(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += static_cast<unsigned char>(c) < ' ' && c != '\n' ? ' ' : c;
    }
  }
  return result;
}

std::string pixels(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

double text_width(std::string_view text) {
  constexpr double kCharacter = 7.4;  // of sans-serif type of 12 pixels; wide for most fonts
  return kCharacter * display_width(text);
}

std::string shortened(std::string_view text, double width) {
  if (text_width(text) <= width) return std::string(text);
  auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };  // inside a character
  while (!text.empty() && text_width(text) + text_width("…") > width) {
    do {
      text.remove_suffix(text.empty() ? 0 : 1);
    } while (!text.empty() && continues(text.back()));
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0) text.remove_suffix(1);
  }
  return std::string(text) + "…";
}

std::string text_at(double x, double y, std::string_view text, std::string_view attributes) {
  return fmt::format("<text {} x=\"{}\" y=\"{}\">{}</text>\n", attributes, pixels(x), pixels(y), escaped(text));
}

std::string line_between(double x1, double y1, double x2, double y2, std::string_view css_class) {
  return fmt::format("<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n", css_class, pixels(x1),
                     pixels(y1), pixels(x2), pixels(y2));
}

std::string tooltip(std::string_view text) {
  return fmt::format("<title>{}</title>", escaped(text));
}

std::string slug(std::string_view text) {
  std::string result;
  for (char c : text) {
    bool capital = c >= 'A' && c <= 'Z';
    if (capital) c = static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      result += c;
    } else if (!result.empty() && result.back() != '-') {
      result += '-';
    }
  }
  while (result.ends_with('-')) result.pop_back();
  return result.empty() ? "x" : result;
}

}  // namespace btm
