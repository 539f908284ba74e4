#include "btm/plan/branch.h"

#include <filesystem>
#include <memory>

#include "btm/core/cores.h"
#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/forest/forest.h"
#include "btm/forest/output_place.h"
#include "btm/model/average.h"
#include "btm/model/checkpoint.h"
#include "btm/plan/plan_check.h"
#include "btm/plan/scoring_place.h"
#include "cli/command.h"
#include "cli/named_weight.h"
#include "cli/setting_options.h"

namespace btm {
namespace {

struct BranchArguments {
  std::string forest, domain, output;
  SettingOptions settings;
  std::vector<std::string> weights;
  bool json = false;
};

BranchSettings settings_of(const BranchArguments& options) {
  BranchSettings settings;
  options.settings.read(settings, "branch");
  for (const std::string& entry : options.weights) {
    const NamedWeight named = parse_named_weight(entry);
    if (!named.weight) throw input_error("--weights {}: write NAME=WEIGHT", entry);
    settings.weights.emplace_back(named.name, *named.weight);
  }
  check_branch(settings, "branch");
  return settings;
}

void run_branch(const BranchArguments& options) {
  BranchSettings settings = settings_of(options);
  Forest forest = open_forest(options.forest);
  std::vector<const ExpertInfo*> candidates;
  for (const ExpertInfo& expert : forest.experts) candidates.push_back(&expert);
  if (!fs::exists(forest.paths.tokens(options.domain))) {  // a slip of the pen, also where they aren't read
    throw input_error("{}: the forest has no tokens of domain '{}'; make them with btm prepare",
                      forest.paths.root.string(), options.domain);
  }
  if (!options.output.empty()) {
    check_output_place(options.output, "runs");
    require_replaceable(options.output, kAverageRecord, "average");
  }
  std::vector<Parent> parents =
      branch_parents(settings, forest, candidates, options.domain, scoring_place(forest, usable_cores()));
  if (options.output.empty() && parents.size() > 1) {
    throw input_error("the average of {} parents needs a folder: give --output FOLDER", parents.size());
  }
  std::filesystem::path folder = branch_weights(parents, forest.paths, options.output);
  Json json = {{"weights", folder.string()}, {"parents", settings_json(parents)}};
  if (options.json) {
    fmt::print("{}\n", json.dump(2));
    return;
  }
  for (const Parent& parent : parents) fmt::print("{:7.4f}  {}\n", parent.weight, parent.name);
  fmt::print("initial weights: {}\n", folder.empty() ? "random" : folder.string());
}

}  // namespace

void add_branch(CLI::App& app) {
  auto options = std::make_shared<BranchArguments>();
  Command command(app, "branch", "Make the initial weights of a new expert out of existing ones");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  command.add_option("DOMAIN", options->domain, "The new expert's domain, with tokens in the forest").required();
  options->settings.add<BranchSettings>(command, "How");
  command.add_option("--weights", options->weights, "Explicit instead: NAME=WEIGHT, several times (seed is a name)");
  command.add_option("-o,--output", options->output, "New folder for an average; one parent alone needs none")
      .not_empty();
  command.add_flag("--json", options->json, "Print as JSON");
  command.footer("\nExample: btm branch runs/demo ruby --from posterior --top-k 2 --output init/ruby");
  command.callback([options] { run_branch(*options); });
}

}  // namespace btm
