// A plot that is drawn: SVG within a page or as a file.
#pragma once

#include <string>

namespace btm {

struct Drawing {
  std::string title;             // for screen readers
  double width = 0, height = 0;  // pixels
  std::string content;           // elements of SVG, coloured by the classes of plot.css
};

std::string inline_svg(const Drawing& drawing);  // for a page that has plot.css
std::string svg_file(const Drawing& drawing);    // with the style, a background and a margin of its own

}  // namespace btm
