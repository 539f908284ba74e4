// The tables of results/evaluation.json. Json::exception for what is not as docs/formats.md says.
#pragma once

#include "btm/core/settings.h"
#include "btm/report/data_table.h"

namespace btm {

// A row per model: means of perplexity and bits per byte over train, novel and all domains, training compute, experts
// and tokens per second. Columns that no model has are left out.
DataTable results_data(const Json& evaluation);

// A row for all models of the same training: updates, their speed, and the bytes that the workers of a distributed run
// would add up between them for each.
DataTable training_data(const Json& evaluation);

// A row per domain, and behind the first kBeforeModels columns one per model: perplexity, the least of a row marked.
DataTable domain_data(const Json& evaluation);
inline constexpr std::size_t kBeforeModels = 3;

}  // namespace btm
