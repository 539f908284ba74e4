// btm import: an expert of another forest, out of a bundle.
#include "btm/forest/import.h"

#include <memory>

#include "btm/core/files.h"
#include "btm/forest/bundle.h"
#include "btm/forest/lineage.h"
#include "btm/plan/event_files.h"
#include "cli/command.h"

namespace btm {
namespace {

struct ImportArguments {
  std::string forest, file, name;
  bool json = false;
};

// What the reader of the lineage should know of it.
void print_place(const Forest& forest, const std::string& name) {
  const Lineage lineage = lineage_of(forest);
  const LineageNode& node = lineage.nodes[static_cast<std::size_t>(nodes_named(lineage, name).front())];
  std::string elsewhere;
  for (const LineageEdge& edge : node.parents) {
    const LineageNode& parent = lineage.nodes[static_cast<std::size_t>(edge.parent)];
    if (parent.standing == Standing::elsewhere) elsewhere += (elsewhere.empty() ? "" : ", ") + parent.id;
  }
  if (!elsewhere.empty()) fmt::print("its parents {} are not in this forest\n", elsewhere);
  if (node.taint > 0) {
    fmt::print("tainted: {:.1f} % of its initial weights came from experts removed here\n", 100 * node.taint);
  }
}

void run_import(const ImportArguments& options) {
  ForestPaths paths = replay_forest(options.forest).paths;  // a clear message if there is none, before a lock is made
  ForestLock lock(paths);
  const auto [expert, was_there] = import_expert(paths, options.file, options.name, {.quiet = options.json});
  complete_event_files(paths);
  if (options.json) {
    fmt::print("{}\n", expert_json(expert).dump(2));
    return;
  }
  fmt::print("{}: {} (cycle {}, from {})\n", paths.expert(expert.name).string(),
             was_there ? "is there already" : "imported", expert.cycle, parents_text(expert));
  if (!was_there) print_place(replay_forest(paths.root), expert.name);
}

}  // namespace

void add_import(CLI::App& app) {
  auto options = std::make_shared<ImportArguments>();
  Command command(app, "import", "Add the expert of a bundle that btm export wrote");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  command.add_option("FILE", options->file, "The bundle").required();
  command.add_option("--name", options->name, "Of the expert here; default: its own");
  command.add_flag("--json", options->json, "Print its expert.json");
  command.footer(
      "\nBefore anything is added, every byte is checked against the bundle's hash, the weights against theirs, shape\n"
      "and tokenizer against the forest's. An expert whose weights are there already changes nothing. Its text isn't\n"
      "here: it mixes, averages and is branched from as the others, but can't be trained again.\n\n"
      "  btm import runs/mine python.btm --name their_python");
  command.callback([options] { run_import(*options); });
}

}  // namespace btm
