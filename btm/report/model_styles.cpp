#include "btm/report/model_styles.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace btm {

std::vector<int> model_styles(const std::vector<std::string>& names) {
  constexpr std::array<std::string_view, 3> kFixed = {"seed", "dense", "ensemble"};
  constexpr int kNone = -1;
  std::vector<int> styles;
  for (const std::string& name : names) {
    auto at = std::find(kFixed.begin(), kFixed.end(), name);
    styles.push_back(at == kFixed.end() ? kNone : static_cast<int>(at - kFixed.begin()));
  }
  int next = 1;  // grey is the seed's alone
  for (int& style : styles) {
    if (style != kNone) continue;
    while (std::find(styles.begin(), styles.end(), next) != styles.end()) ++next;
    style = next;
  }
  return styles;
}

}  // namespace btm
