#include "btm/report/drawing.h"

#include <fmt/format.h>

#include "btm/report/assets.h"
#include "btm/report/markup.h"

namespace btm {
namespace {

std::string svg_of(const Drawing& drawing, double margin, const std::string& attributes, const std::string& head) {
  std::string width = pixels(drawing.width + 2 * margin), height = pixels(drawing.height + 2 * margin);
  std::string title = escaped(drawing.title);
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"group\" aria-label=\"{}\" {} "
      "width=\"{}\" height=\"{}\" viewBox=\"{} {} {} {}\">\n<title>{}</title>\n{}{}</svg>\n",
      title, attributes, width, height, pixels(-margin), pixels(-margin), width, height, title, head, drawing.content);
}

}  // namespace

std::string inline_svg(const Drawing& drawing) {
  constexpr double kSmallest = 0.75;  // of its size; where there is less room it scrolls
  return svg_of(drawing, 0, fmt::format("style=\"min-width:{:.0f}px\"", kSmallest * drawing.width), "");
}

std::string svg_file(const Drawing& drawing) {
  constexpr double kMargin = 16;
  std::string head =
      fmt::format("<style>{}</style>\n<rect class=\"paper\" x=\"-{:g}\" y=\"-{:g}\" width=\"100%\" height=\"100%\"/>\n",
                  kPlotStyle, kMargin, kMargin);
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + svg_of(drawing, kMargin, "", head);
}

}  // namespace btm
