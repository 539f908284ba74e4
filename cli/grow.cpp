#include "btm/plan/grow.h"

#include <memory>

#include "btm/core/files.h"
#include "btm/core/log.h"
#include "btm/core/progress.h"
#include "btm/report/evaluation_table.h"
#include "cli/command.h"
#include "cli/dry_run.h"
#include "cli/grow_options.h"

namespace btm {
namespace {

struct GrowArguments {
  std::string plan;
  std::vector<std::string> overrides;
  bool dry_run = false, submit = false, json = false;
};

// The same again, for a job of the cluster.
std::vector<std::string> own_command(const GrowArguments& options, const fs::path& program) {
  std::vector<std::string> words = {program, "grow", fs::absolute(options.plan), "--submit"};
  for (const std::string& assignment : options.overrides) words.insert(words.end(), {"--set", assignment});
  return words;
}

void run_grow(const GrowArguments& options) {
  Plan plan = load_plan(options.plan, options.overrides);
  if (options.dry_run) return dry_run(plan, options.json);
  GrowOptions grow_with = grow_options(options.json);
  if (options.submit) {
    if (plan.launcher.kind != LauncherKind::slurm) {
      throw input_error("--submit hands the work to Slurm, but launcher.kind is {}; set it to slurm",
                        to_word(plan.launcher.kind));
    }
    grow_with.resubmit = own_command(options, grow_with.program);
  }
  GrowOutcome outcome = grow(plan, grow_with);
  if (!outcome.complete) {
    log_info(fmt::format("{}: queued; `btm ls {} --watch` shows how far it is", plan.forest, plan.forest));
    return;
  }
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
  auto options = std::make_shared<GrowArguments>();
  Command command(app, "grow",
                  "The main job: tokenizer, tokens, seed, cycles of experts, comparisons and results out of one plan");
  command.add_option("PLAN", options->plan, "The plan, a YAML file; examples/demo/forest.yaml is one").required();
  command
      .add_option("--set", options->overrides,
                  "Override a setting, e.g. --set training.batch_tokens=16k; several times")
      .type_name("KEY=VALUE")
      .one_value();
  command.add_flag("--dry-run", options->dry_run,
                   "Tell what it will take (models, tokens, FLOPs, memory, disk, time), and do nothing");
  command.add_flag("--submit", options->submit,
                   "With launcher.kind slurm: queue what can be trained now, and this command behind it, and return");
  command.add_flag("--json", options->json, "Print results/evaluation.json instead of the table");
  command.footer(
      "\nDoes what is missing and goes on where it stopped: run it again after an interruption, or after a domain or "
      "a\n"
      "cycle was added to the plan. One grow at a time per forest.\n\nSettings of the plan, with their defaults:\n\n" +
      settings_help<Plan>());
  command.callback([options] { run_grow(*options); });
}

}  // namespace btm
