#include <fmt/format.h>

#include "btm/core/format.h"
#include "btm/report/model_text.h"
#include "btm/report/quality_text.h"
#include "btm/report/sections.h"

namespace btm {

Section cost_section(const Json& forest) {
  Section section{"Cost", "", {}, {}};
  if (forest.is_null()) return section;
  auto whole = [](double value) { return fmt::format("{:.0f}", value); };
  DataTable table{"cost",
                  "What each model's own training took",
                  {{"", "model", Align::left},
                   {"", "kind", Align::left},
                   {"", "cycle"},
                   {"", "domains", Align::left},
                   {"", "branched from", Align::left},
                   {"", "parameters"},
                   {"training", "tokens"},
                   {"training", "updates"},
                   {"training", "FLOPs"},
                   {"training", "device"},
                   {"", "dev loss"}},
                  {}};
  for (const Json* model : models_of(forest)) {
    table.rows.push_back(
        {text_cell(model->at("name")), text_cell(model->at("kind")), number_cell(*model, "cycle", whole),
         text_cell(domains_of(*model)), text_cell(parents_of(*model)), number_cell(*model, "parameters", format_count),
         number_cell(*model, "tokens", format_count), number_cell(*model, "updates", format_count),
         number_cell(*model, "flops", format_count), number_cell(*model, "device_seconds", format_duration),
         number_cell(*model, "dev_loss", bits_text)});
  }
  if (table.rows.empty()) return section;
  drop_empty_columns(table);
  section.note = "Device time is threads × wall seconds; dev loss is in nats per token on the dev text of its domains.";
  section.tables.push_back(std::move(table));
  return section;
}

}  // namespace btm
