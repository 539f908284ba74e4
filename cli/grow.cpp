#include "btm/plan/grow.h"

#include <memory>

#include "btm/core/log.h"
#include "btm/core/progress.h"
#include "btm/report/evaluation_table.h"
#include "cli/command.h"
#include "cli/grow_options.h"

namespace btm {
namespace {

struct Options {
  std::string plan;
  std::vector<std::string> overrides;
  bool json = false;
};

void run(const Options& options) {
  Plan plan = load_plan(options.plan, options.overrides);
  GrowOutcome outcome = grow(plan, grow_options(options.json));
  if (options.json) {
    fmt::print("{}\n", outcome.evaluation.dump(2));
    return;
  }
  if (!outcome.evaluation.is_null()) fmt::print("{}", evaluation_table(outcome.evaluation, table_style(stdout)));
  if (outcome.trained == 0 && !outcome.evaluated)
    log_info(fmt::format("{}: nothing to do, the forest is what the plan says", plan.forest));
}

}  // namespace

void add_grow(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "grow", "The main job: tokenizer, tokens, seed, cycles of experts, comparisons and results out of one plan");
  command->add_option("PLAN", options->plan, "The plan, a YAML file; examples/demo/forest.yaml is one")->required();
  command->add_option("--set", options->overrides, "Override a setting, e.g. --set training.batch_tokens=16k")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--json", options->json, "Print results/evaluation.json instead of the table");
  command->footer(
      "\nDoes what is missing and goes on where it stopped: run it again after an interruption, or after a domain or "
      "a\n"
      "cycle was added to the plan. One grow at a time per forest.\n\nSettings of the plan, with their defaults:\n\n" +
      settings_help<Plan>());
  command->callback([options] { run(*options); });
}

}  // namespace btm
