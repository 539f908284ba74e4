// The files of btm/report/assets, compiled in.
#pragma once

#include <string_view>

namespace btm {

extern const std::string_view kPageTemplate;  // page.html, with {{NAME}} where something is put
extern const std::string_view kPageStyle;     // page.css
extern const std::string_view kPageScript;    // page.js
extern const std::string_view kPlotStyle;     // plot.css: also in every SVG file

}  // namespace btm
