#include <memory>

#include "btm/core/files.h"
#include "btm/forest/paths.h"
#include "btm/report/evaluation_table.h"
#include "cli/command.h"

namespace btm {
namespace {

struct Options {
  std::string forest;
  bool markdown = false, json = false;
};

void run(const Options& options) {
  ForestPaths paths{options.forest};
  if (!fs::exists(paths.evaluation())) {
    throw input_error("{}: not evaluated yet; run `btm evaluate {}`", paths.root.string(), paths.root.string());
  }
  std::string text = read_file(paths.evaluation());
  if (options.json) {
    fmt::print("{}", text);
    return;
  }
  Json evaluation = Json::parse(text, nullptr, false);
  if (evaluation.is_discarded()) throw input_error("{}: not JSON; evaluate again", paths.evaluation().string());
  fmt::print("{}", evaluation_table(evaluation, options.markdown ? TableStyle::markdown : table_style(stdout)));
}

}  // namespace

void add_report(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("report", "Print the results of the last evaluation");
  command->add_option("FOREST", options->forest, "Folder of the forest")->required();
  command->add_flag("--markdown", options->markdown, "As a Markdown table");
  command->add_flag("--json", options->json, "As results/evaluation.json");
  command->callback([options] { run(*options); });
}

}  // namespace btm
