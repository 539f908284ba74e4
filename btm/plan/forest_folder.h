// Whether a folder is one that a forest may grow in.
#pragma once

#include "btm/forest/paths.h"

namespace btm {

// Throws Error(input) where the folder is no forest but has folders that growing one there would replace, and that btm
// didn't make: a project's own tokenizer/, say.
void require_forest_folder(const ForestPaths& paths);

}  // namespace btm
