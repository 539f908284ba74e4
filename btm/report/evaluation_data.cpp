#include "btm/report/evaluation_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "btm/core/format.h"
#include "btm/report/model_note.h"
#include "btm/report/quality_text.h"

namespace btm {
namespace {

std::string number_text(double value) {
  return fmt::format("{:.3g}", value);
}

std::string synchronised_text(double bytes) {
  return bytes > 0 ? bytes_text(bytes) : "none";
}

// Rules before the first mixture and before the single experts, where something stands above.
std::vector<std::size_t> rules_of(const Json& rows) {
  auto group = [](const std::string& model) {
    constexpr std::array<std::string_view, 4> kBeside = {"seed", "dense", "demix", "random_"};  // and what it begins
    if (std::ranges::any_of(kBeside, [&](std::string_view start) { return model.starts_with(start); })) return 0;
    return model == "best_single" || model == "oracle" ? 2 : 1;
  };
  std::vector<std::size_t> rules;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (group(rows[i].at("model")) != group(rows[i - 1].at("model"))) rules.push_back(i);
  }
  return rules;
}

}  // namespace

DataTable results_data(const Json& evaluation) {
  DataTable table{"results", "A row per model; means are over domains, the best of each column is marked", {}, {}};
  table.columns = {{"", "model", Align::left}};
  for (const char* quality : {"perplexity", "bits per byte"}) {
    for (const char* role : {"train", "novel", "all"}) table.columns.push_back({quality, role, Align::right, true});
  }
  for (const char* title : {"tokens", "FLOPs", "device"}) table.columns.push_back({"training", title});
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
    cells.push_back(number_cell(row, "experts_per_token", number_text));
    cells.push_back(number_cell(row, "memory_bytes", bytes_text));
    cells.push_back(number_cell(row, "tokens_per_second", format_count));
  }
  drop_empty_columns(table);
  mark_best(table);
  table.rules = rules_of(evaluation.at("rows"));
  return table;
}

DataTable training_data(const Json& evaluation) {
  std::vector<std::pair<const Json*, int>> trainings;  // its first row, how many more
  for (const Json& row : evaluation.at("rows")) {
    auto same = std::ranges::find_if(
        trainings, [&row](const auto& item) { return item.first->at("training") == row.at("training"); });
    if (same == trainings.end()) {
      trainings.emplace_back(&row, 0);
    } else {
      ++same->second;
    }
  }
  DataTable table{
      "training",
      "How the models were trained, a row for all of the same training",
      {{"", "trained alike", Align::left}, {"", "updates"}, {"", "updates/s"}, {"", "synchronised per update"}},
      {}};
  for (const auto& [row, more] : trainings) {
    const Json& training = row->at("training");
    const std::string model = row->at("model");
    table.rows.push_back({text_cell(more == 0 ? model : fmt::format("{} and {} more", model, more)),
                          number_cell(training, "updates", format_count),
                          number_cell(training, "updates_per_second", format_count),
                          number_cell(training, "bytes_per_update", synchronised_text)});
  }
  return table;
}

DataTable domain_data(const Json& evaluation) {
  DataTable table{"domains",
                  "Perplexity per domain and model",
                  {{"", "domain", Align::left}, {"", "role", Align::left}, {"", "test tokens"}},
                  {}};
  for (const Json& row : evaluation.at("rows")) table.columns.push_back({"perplexity", row.at("model")});
  for (const auto& [name, domain] : evaluation.at("domains").items()) {
    auto& cells = table.rows.emplace_back();
    cells = {text_cell(name), text_cell(domain.at("role")), number_cell(domain, "tokens", format_count)};
    for (const Json& row : evaluation.at("rows")) {
      cells.push_back(number_cell(row.at("domains").value(name, Json::object()), "perplexity", perplexity_text));
    }
    const std::size_t here = table.rows.size() - 1;
    if (here > 0 && table.rows[here - 1][1].text != cells[1].text) table.rules.push_back(here);
    std::vector<DataCell*> models;
    for (std::size_t i = kBeforeModels; i < cells.size(); ++i) models.push_back(&cells[i]);
    mark_least(models);
  }
  return table;
}

}  // namespace btm
