#include "btm/report/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "btm/report/lineage_layout.h"
#include "btm/report/model_styles.h"

namespace btm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++count;
  return count;
}

TEST(LinePlot, HasAMarkPerPointAndAKeyPerGroup) {
  LinePlot plot{"Title", {"k", true}, {"perplexity"}, {}};
  plot.series.push_back({"a", "both", 1, {{1, 40, 0.5}, {2, 30, 0}, {4, 25, 0}}, Drawn::both});
  plot.series.push_back({"b", "both", 1, {{1, 50, 0}, {4, 45, 0}}, Drawn::line});
  plot.series.push_back({"c", "other", 2, {}, Drawn::both});
  std::string svg = inline_svg(draw(plot));
  EXPECT_EQ(count_of(svg, "<path class=\"line\""), 2);
  EXPECT_EQ(count_of(svg, "class=\"spread\""), 1);
  EXPECT_EQ(count_of(svg, "class=\"key "), 2);
  EXPECT_THAT(svg, HasSubstr("a\nk: 1\nperplexity: 40 ± 0.5"));
  for (const char* tick : {">1<", ">2<", ">4<"}) EXPECT_THAT(svg, HasSubstr(tick));  // the values themselves
}

TEST(DotPlot, LeavesOutMissingValues) {
  DotPlot plot{"Title", {"bits per byte"}, {{"python", "train"}, {"ruby", "novel"}}, {}};
  plot.series.push_back({"seed", 0, {Point{2, 0, 0}, std::nullopt}, true});
  plot.series.push_back({"top_1", 3, {Point{1.5, 0, 0}, Point{1.8, 0, 0}}, false});
  std::string svg = inline_svg(draw(plot));
  EXPECT_EQ(count_of(svg, "</title></path>"), 3);
  EXPECT_EQ(count_of(svg, "class=\"heading\""), 2);
  EXPECT_EQ(count_of(svg, " spare\""), 2);  // the series and its key
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(HeatMap, WritesValuesWhereThereIsRoom) {
  HeatMap map{"Title", {{"python", ""}}, {"a", "b"}, {{0.98, 0.0001}}};
  std::string svg = inline_svg(draw(map));
  EXPECT_THAT(svg, HasSubstr(">0.98<"));
  EXPECT_THAT(svg, HasSubstr("python\na: 0.980"));
  EXPECT_EQ(count_of(svg, "</title></rect>"), 1);
  map.columns.assign(64, "expert");
  map.values[0].assign(64, 0.5);
  EXPECT_THAT(inline_svg(draw(map)), Not(HasSubstr(">0.50<")));
}

TEST(LineagePlot, BoxesOfAColumnStandInTheOrderOfTheirParents) {
  LineagePlot plot{"Title", {}, {}};
  plot.boxes = {{"seed", 0, BoxState::alive, 0, ""},
                {"a", 1, BoxState::elsewhere, 0, ""},
                {"b", 1, BoxState::removed, 0, ""},
                {"of b", 2, BoxState::alive, 0.9, ""},
                {"of a", 2, BoxState::alive, 0.1, ""}};
  plot.arrows = {{0, 1, 1}, {0, 2, 1}, {2, 3, 0.9}, {1, 3, 0.1}, {1, 4, 0.9}, {2, 4, 0.1}, {0, 4, 0.001}};
  LineageLayout layout = lay_out(plot);
  EXPECT_LT(layout.y[4], layout.y[3]);
  for (std::size_t i = 0; i < plot.boxes.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      bool column = plot.boxes[i].cycle == plot.boxes[j].cycle;
      EXPECT_TRUE(!column || std::abs(layout.y[i] - layout.y[j]) >= layout.box_height) << i << " over " << j;
    }
  }
  std::string svg = inline_svg(draw(plot));
  EXPECT_EQ(count_of(svg, "data-from="), 6);              // all but the faintest
  EXPECT_EQ(count_of(svg, "class=\"node removed\""), 2);  // with the legend's
  EXPECT_EQ(count_of(svg, "class=\"node elsewhere\""), 2);
  EXPECT_EQ(count_of(svg, "class=\"node tainted\""), 3);
}

TEST(ModelStyles, AreFixedForTheModelsOfEveryForest) {
  EXPECT_THAT(model_styles({"seed", "dense", "ensemble", "top_1"}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(model_styles({"top_1", "ensemble", "oracle", "seed"}), ElementsAre(1, 2, 3, 0));
}

}  // namespace
}  // namespace btm
