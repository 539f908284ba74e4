// A report as files, and what it is read from.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/report/report.h"

namespace btm {

struct ReportFile {
  std::string name;
  std::string content;
};

// NAME.svg and NAME.csv for each plot, NAME.csv for each table.
std::vector<ReportFile> report_files(const Report& report);

// FILE, or null if there is none. Throws Error(input): not JSON.
Json read_results(const std::filesystem::path& file);

// The study.json of each folder. Throws Error(input): none there, two studies of one name.
std::vector<Json> read_studies(const std::vector<std::string>& folders);

}  // namespace btm
