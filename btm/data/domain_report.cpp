#include "btm/data/domain_report.h"

#include "btm/core/files.h"

namespace btm {

DomainReport load_domain_report(const fs::path& folder) {
  return load_settings<DomainReport>(folder / kDomainReportFile);
}

void save_domain_report(const DomainReport& report, const fs::path& folder) {
  write_file(folder / kDomainReportFile, settings_json(report).dump(2) + "\n");
}

}  // namespace btm
