// btm report: the results of a forest, for the terminal, as a page, as files.
#include <memory>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/mapped_file.h"
#include "btm/core/seal.h"
#include "btm/forest/output_place.h"
#include "btm/forest/summary.h"
#include "btm/report/evaluation_table.h"
#include "btm/report/page.h"
#include "btm/report/report_files.h"
#include "cli/command.h"

namespace btm {
namespace {

struct ReportArguments {
  std::string forest, html, output;
  std::vector<std::string> studies;
  bool markdown = false, json = false;
};

// Out of the forest, kept as results/forest.json; where only the results were copied, what was kept.
Json summary_of(const ForestPaths& paths) {
  bool grown = fs::exists(paths.log()) || fs::exists(paths.seed());
  if (!grown && fs::exists(paths.summary())) return read_results(paths.summary());
  Json summary = forest_summary(replay_forest(paths.root));
  if (make_folders_if_allowed(paths.results())) write_sealed_file(paths.summary(), summary.dump(1) + "\n");
  return summary;
}

std::string folder_name(const fs::path& folder) {
  fs::path path = fs::weakly_canonical(folder);
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

// A page may be replaced, nothing else.
void check_page_place(const fs::path& file) {
  check_output_place(file);
  if (fs::is_regular_file(file) && !MappedFile(file).bytes().starts_with("<!DOCTYPE html>")) {
    throw input_error("{}: is there already and is no page; give another name, or delete it", file.string());
  }
}

void write_report(const ReportArguments& options, const ForestPaths& paths) {
  if (!options.html.empty()) check_page_place(options.html);
  if (!options.output.empty()) check_output_place(options.output);
  Results results{read_results(paths.evaluation()), summary_of(paths), read_studies(options.studies)};
  Report report = make_report(folder_name(paths.root), results);
  if (!options.html.empty()) {
    write_file(options.html, to_page(report));
    fmt::print("{}: open it in a browser\n", options.html);
  }
  if (options.output.empty()) return;
  make_folders(options.output);
  std::vector<ReportFile> files = report_files(report);
  for (const ReportFile& file : files) write_file(fs::path(options.output) / file.name, file.content);
  fmt::print("{}: {} files\n", options.output, files.size());
}

void print_results(const ReportArguments& options, const ForestPaths& paths) {
  if (!fs::exists(paths.evaluation())) {
    throw input_error("{}: not evaluated yet; run `btm evaluate {}`", paths.root.string(), paths.root.string());
  }
  if (options.json) {
    fmt::print("{}", read_file(paths.evaluation()));
    return;
  }
  Json evaluation = read_results(paths.evaluation());
  fmt::print("{}", evaluation_table(evaluation, options.markdown ? TableStyle::markdown : table_style(stdout)));
}

void run_report(const ReportArguments& options) {
  ForestPaths paths{options.forest};
  bool files = !options.html.empty() || !options.output.empty();
  if (!files && !options.studies.empty()) throw input_error("--study: shown with --html or --output only");
  files ? write_report(options, paths) : print_results(options, paths);
}

}  // namespace

void add_report(CLI::App& app) {
  auto options = std::make_shared<ReportArguments>();
  Command command(app, "report", "Show the results of a forest: a table, a page, plots");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  Option markdown = command.add_flag("--markdown", options->markdown, "Print as a Markdown table");
  Option json = command.add_flag("--json", options->json, "Print results/evaluation.json").excludes(markdown);
  command.add_option("--html", options->html, "Write one page with all tables and plots; it needs no other file")
      .type_name("FILE")
      .not_empty()
      .excludes(markdown)
      .excludes(json);
  command.add_option("-o,--output", options->output, "Write every plot as SVG and CSV, every table as CSV")
      .type_name("DIR")
      .not_empty()
      .excludes(markdown)
      .excludes(json);
  command.add_option("--study", options->studies, "Folder of a study (btm study) to show beside; several times")
      .type_name("DIR")
      .one_value();
  command.footer(
      "\nWithout options the last evaluation is printed. A page or files also hold the lineage, training curves, "
      "costs\n"
      "(results/forest.json, written anew) and the given studies.\n\n"
      "  btm report runs/demo --html report.html --study runs/studies/seed_share\n");
  command.callback([options] { run_report(*options); });
}

}  // namespace btm
