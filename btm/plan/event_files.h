// The forest's event files: FOREST/tensorboard/NAME, one folder per model.
#pragma once

#include <string>

#include "btm/forest/paths.h"

namespace btm {

// Training writes them; this writes those that lack, out of the metrics of the published models: of runs that were
// trained elsewhere, of older forests, deleted ones. Throws Error(input) when they can't be written.
void complete_event_files(const ForestPaths& paths);

// Those of the models of comparisons/NAME, which are to be trained anew.
void remove_event_files(const ForestPaths& paths, const std::string& name);

}  // namespace btm
