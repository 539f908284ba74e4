#include <fmt/format.h>

#include "btm/core/format.h"
#include "btm/report/evaluation_reading.h"
#include "btm/report/model_note.h"
#include "btm/report/quality_text.h"
#include "btm/report/sections.h"

namespace btm {
namespace {

std::string number_text(double value) {
  return fmt::format("{:.3g}", value);
}

}  // namespace

Section results_section(const Json& evaluation) {
  Section section{"Results", "", {}, {}};
  if (evaluation.is_null() || evaluation.at("rows").empty()) return section;
  DataTable table{"results", "A row per model; means are over domains, the best of each column is marked", {}, {}};
  table.columns = {{"", "model", Align::left}};
  for (const char* quality : {"perplexity", "bits per byte"}) {
    for (const char* role : {"train", "novel", "all"}) table.columns.push_back({quality, role, Align::right, true});
  }
  for (const char* title : {"tokens", "FLOPs", "device", "updates", "sync / update"}) {
    table.columns.push_back({"training", title});
  }
  for (const char* title : {"experts", "memory", "tokens/s"}) table.columns.push_back({"use", title});
  for (const Json& row : evaluation.at("rows")) {
    auto& cells = table.rows.emplace_back();
    cells.push_back(text_cell(row.at("model")));
    cells.back().note = model_note(row.at("model"));
    for (auto [key, text] : {std::pair{"perplexity", &perplexity_text}, {"bits_per_byte", &bits_text}}) {
      for (const char* role : {"train", "novel", "all"})
        cells.push_back(number_cell(row.at("mean").at(role), key, text));
    }
    const Json& training = row.at("training");
    cells.push_back(number_cell(training, "tokens", format_count));
    cells.push_back(number_cell(training, "flops", format_count));
    cells.push_back(number_cell(training, "device_seconds", format_duration));
    cells.push_back(number_cell(training, "updates", format_count));
    cells.push_back(number_cell(training, "bytes_per_update", bytes_text));
    cells.push_back(number_cell(row, "experts_per_token", number_text));
    cells.push_back(number_cell(row, "memory_bytes", bytes_text));
    cells.push_back(number_cell(row, "tokens_per_second", format_count));
  }
  drop_empty_columns(table);
  mark_best(table);
  section.tables.push_back(std::move(table));
  section.note =
      "Perplexity is per token; training is all the compute behind a row, the seed's included; use is what a token "
      "costs: experts run for it and the memory of their weights.";
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
