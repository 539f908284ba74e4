// The lineage of a forest, for people and programs.
#pragma once

#include <string>

#include "btm/forest/lineage.h"

namespace btm {

// The three forms of `btm lineage`.
std::string lineage_text(const Lineage& lineage);  // a tree for the terminal; each node below its weightiest parent
Json lineage_json(const Lineage& lineage);         // {"nodes": [...], "edges": [{"from", "to", "weight"}]}
std::string lineage_dot(const Lineage& lineage);   // Graphviz

}  // namespace btm
