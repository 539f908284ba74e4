// btm export: one expert as a file for another forest.
#include "btm/forest/export.h"

#include <memory>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/forest/bundle.h"
#include "cli/command.h"

namespace btm {
namespace {

struct ExportArguments {
  std::string forest, expert, output;
  bool delta = false, json = false;
};

std::string parents_of(const ExpertInfo& info) {
  std::string names;
  for (const Parent& parent : info.parents) names += (names.empty() ? "" : ", ") + parent.name;
  return names;
}

void run_export(const ExportArguments& options) {
  const Forest forest = open_forest(options.forest);
  const Manifest manifest =
      export_expert(forest, options.expert, options.output, {.delta = options.delta, .quiet = options.json});
  const auto bytes = fs::file_size(options.output);
  if (options.json) {
    Json json = Json::parse(manifest_text(manifest, options.output));
    json["output"] = options.output;
    json["bytes"] = bytes;
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{}: {}, {}B{}\n", options.output, options.expert, format_count(static_cast<double>(bytes)),
             options.delta ? fmt::format("; for forests that have {}", parents_of(manifest.expert)) : "");
}

}  // namespace

void add_export(CLI::App& app) {
  auto options = std::make_shared<ExportArguments>();
  Command command(app, "export", "Write one expert as a bundle, a file that another forest can import");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  command.add_option("EXPERT", options->expert, "Name of the expert").required();
  command.add_option("-o,--output", options->output, "The bundle; it appears whole or not at all")
      .type_name("FILE")
      .required();
  command.add_flag("--delta", options->delta,
                   "Only the difference to the weights that it started from; the other forest must have its parents");
  command.add_flag("--json", options->json, "Print what is in it as JSON");
  command.footer(
      "\nA bundle holds weights, shape, expert.json, lineage, losses, and hashes of data and tokenizer: no text, no\n"
      "vocabulary, no paths. It is a safetensors file (docs/formats.md).\n\n"
      "  btm export runs/demo python --output python.btm");
  command.callback([options] { run_export(*options); });
}

}  // namespace btm
