#include <fmt/format.h>

#include <map>

#include "btm/report/figures.h"
#include "btm/report/model_text.h"
#include "btm/report/sections.h"

namespace btm {
namespace {

void add_box(LineagePlot& plot, const Json& model, BoxState state) {
  std::string note, domains = domains_of(model), parents = parents_of(model);
  double taint = model.value("tainted", 0.0);
  if (!domains.empty()) note += "trained on " + domains + "\n";
  if (!parents.empty()) note += "from " + parents + "\n";
  if (std::string name = model.value("imported", ""); !name.empty()) note += "imported, called " + name + " there\n";
  if (state == BoxState::removed) note += "removed\n";
  if (state == BoxState::elsewhere) note += "in another forest\n";
  if (state == BoxState::alive && taint > 0)
    note += fmt::format("tainted: {:.3g} of its start came from removed experts\n", taint);
  if (!note.empty()) note.pop_back();
  plot.boxes.push_back({model.at("name"), model.at("cycle"), state, taint, note});
}

void add_arrows(LineagePlot& plot, const Json& models) {
  std::map<std::string, std::size_t> boxes;
  for (std::size_t i = 0; i < plot.boxes.size(); ++i) boxes.emplace(plot.boxes[i].name, i);
  for (const Json& model : models) {
    for (const Json& parent : model.at("parents")) {
      auto from = boxes.find(parent.at("name").get<std::string>());
      double weight = parent.at("weight");
      if (from == boxes.end() || weight <= 0) continue;
      plot.arrows.push_back({from->second, boxes.at(model.at("name").get<std::string>()), weight});
    }
  }
}

}  // namespace

Section lineage_section(const Json& forest) {
  Section section{"Lineage", "", {}, {}};
  if (forest.is_null() || (forest.at("experts").empty() && forest.at("removed").empty())) return section;
  LineagePlot plot{"Who was branched from whom", {}, {}};
  const Json elsewhere = forest.value("elsewhere", Json::array());  // absent in files of before there were imports
  if (!forest.at("seed").is_null()) add_box(plot, forest.at("seed"), BoxState::alive);
  for (const Json& model : forest.at("experts")) add_box(plot, model, BoxState::alive);
  for (const Json& model : forest.at("removed")) add_box(plot, model, BoxState::removed);
  for (const Json& model : elsewhere) add_box(plot, model, BoxState::elsewhere);
  for (const Json* models : {&forest.at("experts"), &forest.at("removed"), &elsewhere}) add_arrows(plot, *models);
  section.note = fmt::format(
      "Each expert started from the weighted average of its parents; the wider the line, the larger the weight (below "
      "{:g} it is left out).",
      kFaintest);
  section.figures.push_back(figure_of("lineage", plot));
  return section;
}

}  // namespace btm
