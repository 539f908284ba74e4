// The sections of a report. Each takes the JSON as docs/formats.md has it (Json::exception where it doesn't) and shows
// its numbers; one without figures and tables has nothing to show.
#pragma once

#include "btm/report/report.h"

namespace btm {

// Out of results/evaluation.json.
Section results_section(const Json& evaluation);
Section domains_section(const Json& evaluation);
Section posterior_section(const Json& evaluation);
std::vector<Highlight> highlights_of(const Json& evaluation);

// Out of results/forest.json.
Section lineage_section(const Json& forest);
Section curves_section(const Json& forest);
Section cost_section(const Json& forest);

Section studies_section(const std::vector<Json>& studies);  // study.json of each

}  // namespace btm
