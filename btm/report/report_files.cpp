#include "btm/report/report_files.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/files.h"

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
  if (!fs::exists(file)) return nullptr;
  Json json = Json::parse(read_file(file), nullptr, false);
  if (json.is_discarded()) throw input_error("{}: not JSON; make it again", file.string());
  return json;
}

std::vector<Json> read_studies(const fs::path& folder) {
  std::vector<fs::path> paths;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".json") paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Json> studies;
  for (const fs::path& path : paths) studies.push_back(read_results(path));
  return studies;
}

}  // namespace btm
