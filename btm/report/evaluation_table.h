// results/evaluation.json as text.
#pragma once

#include <string>

#include "btm/core/settings.h"
#include "btm/report/text_table.h"

namespace btm {

// A row per model, a line that says what was measured, and a row per training (evaluation_data.h). 120 columns at most,
// unless names are long.
std::string evaluation_table(const Json& evaluation, TableStyle style);

// A row per domain, a column per model: perplexity. In blocks of models that fit into 120 columns; Markdown in one.
std::string domain_table(const Json& evaluation, TableStyle style);

std::string evaluation_markdown(const Json& evaluation);  // both with headings

}  // namespace btm
