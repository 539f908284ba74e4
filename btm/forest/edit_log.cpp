#include "btm/forest/edit_log.h"

#include <fmt/chrono.h>

#include <ctime>
#include <string_view>
#include <system_error>

#include "btm/core/files.h"
#include "btm/core/log.h"
#include "btm/core/seal.h"
#include "btm/core/write_error.h"

namespace btm {
namespace {

std::string now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

Edit parse_edit(std::string_view line, const std::string& where) {
  Edit edit;
  try {
    if (check_line_seal(line) == Seal::broken) throw input_error("it does not match its hash, line_sha256");
    Json json = Json::parse(unsealed_line(line));
    if (!json.is_object()) throw input_error("must be a JSON object");
    // ahead of the others, since it decides which there are
    edit.edit = from_word<EditKind>("edit", json.value("edit", ""));
    read_settings(parse_yaml(json.dump(), "entry"), edit, "entry");
    if (edit.expert.empty() || edit.recipe_sha256.empty() || edit.weights_sha256.empty()) {
      throw input_error("expert, recipe_sha256 and weights_sha256 must be there");
    }
  } catch (const std::exception& e) {
    throw input_error("{}: broken entry ({}); mend or delete this line, or restore the file from a copy", where,
                      e.what());
  }
  return edit;
}

// Bytes of the log that are whole lines.
std::size_t size_of_whole_lines(std::string_view bytes) {
  return bytes.rfind('\n') + 1;  // npos + 1 is 0
}

}  // namespace

Edit merge_edit(const ExpertInfo& info) {
  return {.edit = info.imported ? EditKind::import : EditKind::merge,
          .expert = info.name,
          .time = now(),
          .recipe_sha256 = info.recipe_sha256,
          .weights_sha256 = info.weights_sha256,
          .tokenizer_sha256 = info.tokenizer_sha256,
          .kind = info.kind,
          .domains = info.domains,
          .cycle = info.cycle,
          .parents = info.parents,
          .tokens = info.tokens,
          .updates = info.updates,
          .flops = info.flops,
          .device_seconds = info.device_seconds,
          .dev_loss = info.dev_loss,
          .tool_version = info.tool_version,
          .imported = info.imported.value_or(Origin{})};
}

Edit remove_edit(const ExpertInfo& info, bool retrain) {
  Edit edit;
  edit.edit = EditKind::remove;
  edit.expert = info.name;
  edit.time = now();
  edit.recipe_sha256 = info.recipe_sha256;
  edit.weights_sha256 = info.weights_sha256;
  edit.retrain = retrain;
  return edit;
}

ExpertInfo expert_of(const Edit& merge) {
  return {.name = merge.expert,
          .kind = merge.kind,
          .domains = merge.domains,
          .cycle = merge.cycle,
          .parents = merge.parents,
          .weights_sha256 = merge.weights_sha256,
          .tokenizer_sha256 = merge.tokenizer_sha256,
          .recipe_sha256 = merge.recipe_sha256,
          .recipe = {},
          .tokens = merge.tokens,
          .updates = merge.updates,
          .flops = merge.flops,
          .device_seconds = merge.device_seconds,
          .dev_loss = merge.dev_loss,
          .threads = 0,
          .precision = {},
          .device = {},
          .tool_version = merge.tool_version,
          .imported = merge.edit == EditKind::import ? std::optional(merge.imported) : std::nullopt};
}

std::vector<Edit> read_edits(const fs::path& log) {
  if (!fs::exists(log)) return {};
  std::string bytes = read_file(log);
  std::string_view rest = std::string_view(bytes).substr(0, size_of_whole_lines(bytes));
  if (rest.size() < bytes.size()) {
    log_warning(fmt::format("{}: the last line was cut off while it was written; it is left out", log.string()));
  }
  std::vector<Edit> edits;
  while (!rest.empty()) {
    std::size_t end = rest.find('\n');
    edits.push_back(parse_edit(rest.substr(0, end), fmt::format("{}: line {}", log.string(), edits.size() + 1)));
    rest.remove_prefix(end + 1);
  }
  return edits;
}

void append_edit(const fs::path& log, const Edit& edit) {
  if (fs::exists(log)) {
    std::string bytes = read_file(log);
    if (std::size_t whole = size_of_whole_lines(bytes); whole < bytes.size()) {
      std::error_code status;
      fs::resize_file(log, whole, status);
      if (status) throw input_error("{}: can't be written: {}", log.string(), write_reason(status.value()));
    }
  }
  append_line(log, sealed_line(settings_json(edit).dump()));
}

}  // namespace btm
