// The results of a study for people.
#pragma once

#include <string>

#include "btm/core/json.h"
#include "btm/report/text_table.h"

namespace btm {

// A row per variant, a column per series of FOLDER/study.json (see run_study); "12.3 ± 0.2" where there is a spread.
std::string study_table(const Json& study, TableStyle style);

}  // namespace btm
