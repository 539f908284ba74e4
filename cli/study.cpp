// btm study: a question about forests, answered by growing variants of a plan.
#include "btm/plan/study.h"

#include <filesystem>
#include <memory>

#include "btm/core/files.h"
#include "btm/core/log.h"
#include "btm/report/report_files.h"
#include "btm/report/study_table.h"
#include "cli/command.h"
#include "cli/grow_options.h"

namespace btm {
namespace {

struct StudyArguments {
  std::string file;
  std::vector<std::string> overrides;
  bool json = false;
};

void grow_study(const StudyArguments& options) {
  Study study = load_study(options.file);
  study.set.insert(study.set.end(), options.overrides.begin(), options.overrides.end());
  Json results = run_study(study, grow_options(options.json));
  for (const ReportFile& file : report_files(make_report(study.study, {Json(), Json(), {results}}))) {
    write_file(fs::path(study.folder) / file.name, file.content);
  }
  write_file(fs::path(study.folder) / "study.md",
             fmt::format("# {}\n\n{}\n\n{}", study.study, study.question, study_table(results, TableStyle::markdown)));
  if (options.json) {
    fmt::print("{}\n", results.dump(2));
    return;
  }
  if (!study.question.empty()) fmt::print("{}\n\n", study.question);
  fmt::print("{}", study_table(results, table_style(stdout)));
}

}  // namespace

void add_study(CLI::App& app) {
  auto options = std::make_shared<StudyArguments>();
  Command command(app, "study", "Grow the variants of a plan and compare them: one table a question");
  command.add_option("FILE", options->file, "The study, a YAML file; examples/studies/ has some").required();
  command
      .add_option("--set", options->overrides,
                  "Set this in every variant but those that set it themselves; several times")
      .type_name("KEY=VALUE")
      .one_value();
  command.add_flag("--json", options->json, "Print study.json instead of the table");
  command.footer(
      "\nGoes on where it stopped. Variants with the same `tokenizer` settings share one, and every model of equal "
      "recipe is trained once.\n\nSettings of a study, with their defaults:\n\n" +
      settings_help<Study>());
  command.callback([options] { grow_study(*options); });
}

}  // namespace btm
