#include "btm/report/evaluation_data.h"
#include "btm/report/evaluation_reading.h"
#include "btm/report/model_note.h"
#include "btm/report/quality_text.h"
#include "btm/report/sections.h"

namespace btm {

Section results_section(const Json& evaluation) {
  Section section{"Results", "", {}, {}};
  if (evaluation.is_null() || evaluation.at("rows").empty()) return section;
  section.tables = {results_data(evaluation), training_data(evaluation)};
  section.note =
      "Perplexity is per token; training is all the compute behind a row, the seed's included; use is what a token "
      "costs: experts run for it and the memory of their weights. Synchronised is what the workers of a distributed "
      "run would add up between them.";
  return section;
}

std::vector<Highlight> highlights_of(const Json& evaluation) {
  std::vector<Highlight> highlights;
  if (evaluation.is_null()) return highlights;
  for (const std::string& model : chosen_models(evaluation.at("rows"))) {
    for (const Json& row : evaluation.at("rows")) {
      if (row.at("model") != model) continue;
      highlights.push_back({model, perplexity_text(row.at("mean").at("all").at("perplexity")), model_note(model)});
    }
  }
  return highlights;
}

}  // namespace btm
