// Text, numbers and elements of SVG and HTML.
#pragma once

#include <string>
#include <string_view>

namespace btm {

// Safe as text and in quoted attributes of HTML and XML: & < > " ' as entities; control characters but line ends, which
// XML has no way to write, as spaces. Valid UTF-8 in, valid UTF-8 out.
std::string escaped(std::string_view text);

std::string pixels(double value);  // a coordinate: a tenth of a pixel, no trailing zeros

double text_width(std::string_view text);  // pixels that a line of a plot's text takes, about

std::string shortened(std::string_view text, double width);  // to that many pixels, with an ellipsis at the cut

// <text ATTRIBUTES x= y=>TEXT</text>; the text is escaped, the attributes are taken as they are.
std::string text_at(double x, double y, std::string_view text, std::string_view attributes = "");

std::string line_between(double x1, double y1, double x2, double y2, std::string_view css_class);

std::string tooltip(std::string_view text);  // <title>: what a pointer or a screen reader gets of the element around it

// "Loss curves, 2" -> "loss-curves-2": for ids and file names; only a-z, 0-9 and hyphens; "x" if nothing is left.
std::string slug(std::string_view text);

}  // namespace btm
