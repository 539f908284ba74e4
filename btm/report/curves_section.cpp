#include <fmt/format.h>

#include <algorithm>

#include "btm/report/figures.h"
#include "btm/report/model_styles.h"
#include "btm/report/model_text.h"
#include "btm/report/sections.h"

namespace btm {
namespace {

constexpr std::size_t kFewModels = 9;  // as many colours are told apart; beyond them a cycle has one

struct Curve {
  std::vector<Point> train, dev;
};

Curve curve_of(const Json& model) {
  Curve curve;
  for (const Json& point : model.value("curve", Json::array())) {
    double tokens = point.at("tokens");
    curve.train.push_back({tokens, point.at("loss"), 0});
    if (point.contains("dev_loss")) curve.dev.push_back({tokens, point.at("dev_loss"), 0});
  }
  return curve;
}

// Dev losses with the noise of the training losses behind them; of many models one line each.
void add_curve(LinePlot& plot, const std::string& name, const std::string& group, int style, const Curve& curve) {
  bool one_of_many = group != name;
  bool dev = !curve.dev.empty();
  if (!curve.train.empty() && !(one_of_many && dev)) {
    plot.series.push_back({name + ", training", group, style, curve.train, Drawn::line, one_of_many || dev});
  }
  if (!dev) return;
  Drawn drawn = one_of_many ? Drawn::line : Drawn::both;
  plot.series.push_back({name + ", dev", group, style, curve.dev, drawn, one_of_many});
}

}  // namespace

Section curves_section(const Json& forest) {
  Section section{"Training", "", {}, {}};
  if (forest.is_null()) return section;
  LinePlot plot{"Loss curves", {"tokens of the model's own training", true}, {"nats per token", false}, {}};
  std::vector<const Json*> models = models_of(forest);
  std::vector<std::string> groups, names;  // of the models; each once
  for (const Json* model : models) {
    bool one_of_many = models.size() > kFewModels && model->at("kind") == "expert";
    groups.push_back(one_of_many ? fmt::format("experts of cycle {}", model->at("cycle").get<int>())
                                 : model->at("name").get<std::string>());
    if (std::find(names.begin(), names.end(), groups.back()) == names.end()) names.push_back(groups.back());
  }
  std::vector<int> styles = model_styles(names);
  for (std::size_t i = 0; i < models.size(); ++i) {
    auto group = std::find(names.begin(), names.end(), groups[i]) - names.begin();
    add_curve(plot, models[i]->at("name"), groups[i], styles[static_cast<std::size_t>(group)], curve_of(*models[i]));
  }
  if (plot.series.empty()) return section;
  section.note =
      "Loss on dev text; faint lines are training losses, a point the mean since the last. Each model on the text of "
      "its own "
      "domains.";
  section.figures.push_back(figure_of("loss-curves", plot));
  return section;
}

}  // namespace btm
