// btm lineage: who was branched from whom.
#include "btm/forest/lineage.h"

#include <memory>

#include "btm/forest/lineage_text.h"
#include "cli/command.h"

namespace btm {
namespace {

struct LineageArguments {
  std::string forest;
  bool json = false, dot = false;
};

void run_lineage(const LineageArguments& options) {
  Lineage lineage = lineage_of(replay_forest(options.forest));
  fmt::print("{}", options.json  ? lineage_json(lineage).dump(2) + "\n"
                   : options.dot ? lineage_dot(lineage)
                                 : lineage_text(lineage));
}

}  // namespace

void add_lineage(CLI::App& app) {
  auto options = std::make_shared<LineageArguments>();
  Command command(app, "lineage", "Show who was branched from whom, with which weights");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  Option json = command.add_flag("--json", options->json, "Print nodes and edges as JSON");
  command.add_flag("--dot", options->dot, "Print as a Graphviz graph: btm lineage FOREST --dot | dot -Tsvg")
      .excludes(json);
  command.footer(
      "\nA tree: each expert is drawn below its weightiest parent and names them all. Removed experts stay in it; an\n"
      "expert is tainted if a share of its initial weights came from them.");
  command.callback([options] { run_lineage(*options); });
}

}  // namespace btm
