#include "btm/data/domain_report.h"

#include "btm/core/files.h"

namespace btm {

DomainReport load_domain_report(const fs::path& folder) {
  const std::string name = (folder / kDomainReportFile).string();
  DomainReport report;
  read_settings(parse_yaml(read_file(name), name), report, name);
  return report;
}

void save_domain_report(const DomainReport& report, const fs::path& folder) {
  write_file(folder / kDomainReportFile, settings_json(report).dump(2) + "\n");
}

}  // namespace btm
