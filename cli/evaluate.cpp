// btm evaluate: the results table of a forest.
#include <memory>

#include "btm/core/files.h"
#include "btm/core/log.h"
#include "btm/plan/evaluation.h"
#include "btm/plan/scoring_place.h"
#include "btm/report/evaluation_table.h"
#include "cli/command.h"
#include "cli/setting_options.h"

namespace btm {
namespace {

struct EvaluateArguments {
  std::string forest;
  std::vector<std::string> texts;
  SettingOptions settings;
  std::string device, precision;
  int threads = 1;
  bool json = false;
};

EvaluationText parse_text(const std::string& argument) {
  std::size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == argument.size()) {
    throw input_error("--text {}: expected NAME=PATH", argument);
  }
  return {argument.substr(0, equals), argument.substr(equals + 1)};
}

// Settings and domains as the forest's plan has them, if it has one.
struct Planned {
  EvaluateSettings settings;
  std::vector<EvaluationDomain> domains;
};

Planned read_plan(const Forest& forest) {
  Planned planned;
  if (!fs::exists(forest.paths.plan())) {
    planned.domains = evaluation_domains(forest);
    return planned;
  }
  Plan plan = load_recorded_plan(forest.paths);
  planned.settings = plan.evaluate;
  planned.domains = evaluation_domains(plan, forest.paths);
  return planned;
}

void run_evaluate(const EvaluateArguments& options) {
  Forest forest = open_forest(options.forest);
  auto [settings, domains] = read_plan(forest);
  options.settings.read(settings, "evaluate");
  std::vector<EvaluationText> texts;
  for (const std::string& argument : options.texts) texts.push_back(parse_text(argument));
  ScoringPlace place = scoring_place(forest, options.threads);
  if (!options.device.empty()) place.device = from_word<Device>("--device", options.device);
  if (!options.precision.empty()) place.precision = from_word<Precision>("--precision", options.precision);
  const Json evaluation = evaluate_forest(forest, settings, domains, texts, {place, options.json});
  write_evaluation(forest.paths, evaluation);
  if (options.json) {
    fmt::print("{}\n", evaluation.dump(2));
    return;
  }
  TableStyle style = table_style(stdout);
  fmt::print("{}\n{}", evaluation_table(evaluation, style), domain_table(evaluation, style));
  std::fflush(stdout);
  log_info(fmt::format("written to {} and {}", forest.paths.evaluation().string(),
                       forest.paths.evaluation_text().filename().string()));
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto options = std::make_shared<EvaluateArguments>();
  Command command(app, "evaluate", "Score every form of a forest on every domain: the results table");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  command
      .add_option("--text", options->texts,
                  "Score this text, too, as a novel domain, in the results until the next evaluation: a file, folder "
                  "or glob of .txt, .jsonl, sources, also .gz, .zst")
      .type_name("NAME=PATH")
      .one_value();
  options->settings.add<EvaluateSettings>(command, "Settings (default: as in the forest's plan)");
  command.add_option("--device", options->device,
                     "Where models score: cpu, cuda or auto, a GPU where there is one (default: as in the plan)");
  command.add_option("--precision", options->precision,
                     "Of products when models score: fp32, bf16, int16 or auto, the faster of fp32 and bf16 (default:\n"
                     "as in the plan)");
  command.add_threads(options->threads, "Threads that score");
  command.add_flag("--json", options->json, "Print results/evaluation.json instead of the tables");
  command.footer(
      "\nModels: seed and dense as they are; ensemble: all experts, weighted by the domain posterior; top_K: the K\n"
      "experts of largest prior alone; average_...: one plain LM out of all experts' parameters; best_single: the\n"
      "expert that is best on the train domains; oracle: the best expert for each domain. Weights and choices are "
      "made\n"
      "on dev text, never on test text. Scores are kept in results/scores: only what is new is computed.");
  command.callback([options] { run_evaluate(*options); });
}

}  // namespace btm
