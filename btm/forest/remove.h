// An expert leaves the forest, and with it, if so wished, what descends from it.
#pragma once

#include <string>
#include <vector>

#include "btm/forest/forest.h"

namespace btm {

// What remove_expert would take, in its order: living descendants youngest first, the expert itself last; empty if it
// was removed before. Throws Error(input) for a name that was never merged.
std::vector<std::string> removal_of(const Forest& forest, const std::string& name, bool descendants);

// retrain: removed, and marked for the next grow but for those that were imported, whose text isn't here.
enum class Descendants { keep, remove, retrain };

// Logs the removal and deletes the expert's folder, its finished run (runs/NAME, which holds the same weights) and its
// event file; and, unless Descendants::keep, of every living expert with a share of it. Gives removal_of. Needs only
// the log, see replay_forest. The caller holds the forest's lock.
std::vector<std::string> remove_expert(const Forest& forest, const std::string& name, Descendants descendants);

}  // namespace btm
