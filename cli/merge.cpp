// btm merge: publish a finished run into the forest.
#include "btm/forest/merge.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/forest/lineage.h"
#include "btm/plan/event_files.h"
#include "btm/plan/merged_run.h"
#include "cli/command.h"
#include "cli/named_weight.h"

namespace btm {
namespace {

struct MergeArguments {
  std::string forest, run, name;
  std::vector<std::string> domains, parents;
  std::optional<int> cycle;
  bool json = false;
};

MergedRun merged_run(const MergeArguments& options) {
  MergedRun merged{options.run, options.name, options.domains, {}, options.cycle};
  for (const std::string& text : options.parents) {
    const NamedWeight parent = parse_named_weight(text);
    merged.parents.push_back({parent.name, parent.weight.value_or(1), ""});
  }
  return merged;
}

void run_merge(const MergeArguments& options) {
  if (!fs::is_directory(options.run)) throw input_error("{}: no run there (no such folder)", options.run);
  ForestPaths paths = replay_forest(options.forest).paths;  // a clear message if there is none, before a lock is made
  ForestLock lock(paths);
  Forest forest = replay_forest(paths.root);
  ExpertInfo info = expert_of_run(merged_run(options), forest);
  bool known = forest.find(info.name) != nullptr;
  if (!known) {
    const auto twin = std::ranges::find(forest.experts, recipe_sha256(info.recipe), &ExpertInfo::recipe_sha256);
    if (twin != forest.experts.end()) {
      throw input_error("{}: the forest has this expert already, as {}", options.run, twin->name);
    }
  }
  merge_expert(paths, options.run, info);
  complete_event_files(paths);
  ExpertInfo merged = load_expert(paths.expert(info.name));
  if (options.json) {
    fmt::print("{}\n", expert_json(merged).dump(2));
  } else {
    fmt::print("{}: {} {} (cycle {}, from {})\n", paths.expert(info.name).string(),
               known ? "is merged already:" : "merged", merged.name, merged.cycle, parents_text(merged));
  }
}

}  // namespace

void add_merge(CLI::App& app) {
  auto options = std::make_shared<MergeArguments>();
  Command command(app, "merge", "Publish a finished run as an expert of the forest");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  command.add_option("RUN", options->run, "Folder of the run, as btm train left it").required();
  command.add_option("--name", options->name, "Of the expert; default: the run's").not_empty();
  command.add_option("--domain", options->domains, "It is the expert of these; default: those it was trained on");
  command.add_option("--cycle", options->cycle, "Default: one after its youngest parent").positive();
  command
      .add_option("--parent", options->parents,
                  "NAME=WEIGHT, several times; default: found by the hashes of the run's initial weights")
      .one_value();
  command.add_flag("--json", options->json, "Print its expert.json");
  command.footer(
      "\nThe same run merged again changes nothing, under another name it is refused. An expert of that name with\n"
      "another recipe, another tokenizer or another shape is an error. A run starts from the folder that\n"
      "`btm branch` prints.\n\n"
      "  btm branch runs/demo ruby --from posterior --top-k 2 --output init/ruby\n"
      "  btm train --output runs/ruby --init init/ruby --tokens-from runs/demo/tokens/ruby --tokens 500k\n"
      "  btm merge runs/demo runs/ruby --name ruby");
  command.callback([options] { run_merge(*options); });
}

}  // namespace btm
