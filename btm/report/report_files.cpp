#include "btm/report/report_files.h"

#include <set>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/report/markup.h"

namespace btm {

std::vector<ReportFile> report_files(const Report& report) {
  std::vector<ReportFile> files;
  for (const Section& section : report.sections) {
    for (const Figure& figure : section.figures) {
      files.push_back({figure.name + ".svg", svg_file(figure.file)});
      files.push_back({figure.name + ".csv", figure.csv});
    }
    for (const DataTable& table : section.tables) files.push_back({table.name + ".csv", to_csv(table)});
  }
  return files;
}

Json read_results(const fs::path& file) {
  return fs::exists(file) ? read_json_object(file) : nullptr;
}

std::vector<Json> read_studies(const std::vector<std::string>& folders) {
  std::vector<Json> studies;
  std::set<std::string> names;
  for (const fs::path folder : folders) {
    const fs::path file = folder / "study.json";
    studies.push_back(read_results(file));
    if (studies.back().is_null()) throw input_error("{}: not there; grow the study with btm study", file.string());
    const std::string name = studies.back().value("study", "");
    if (!names.insert(slug(name)).second)
      throw input_error("{}: two studies are called '{}', as files are named", file.string(), name);
  }
  return studies;
}

}  // namespace btm
