// A report as one HTML file that needs no other.
#pragma once

#include <string>

#include "btm/report/report.h"

namespace btm {

std::string to_page(const Report& report);

}  // namespace btm
