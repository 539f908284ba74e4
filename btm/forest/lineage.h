// Who was branched from whom: a directed acyclic graph with the parents' weights on its edges.
#pragma once

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "btm/core/settings.h"
#include "btm/forest/forest.h"

namespace btm {

struct LineageEdge {
  int parent = 0;  // index of a node
  double weight = 0;
};

enum class Standing {
  alive,
  removed,
  elsewhere,  // never in this forest: known by name and hash, since an imported expert descends from it
};
inline std::array<std::pair<Standing, std::string_view>, 3> names(Standing) {
  return {{{Standing::alive, "alive"}, {Standing::removed, "removed"}, {Standing::elsewhere, "elsewhere"}}};
}

struct LineageNode {
  std::string id;   // the name; NAME@HASH for one that isn't alive and whose name is used again
  ExpertInfo info;  // of one elsewhere: name, kind, cycle, parents, hash of its weights
  Standing standing = Standing::alive;
  std::vector<LineageEdge> parents;
  double taint = 0;  // share of its initial weights that came from removed experts
};

struct Lineage {
  std::vector<LineageNode> nodes;  // the seed, the living experts, the removed ones, those elsewhere
};

Lineage lineage_of(const Forest& forest);

bool is_seed(const LineageNode& node);  // of this forest

// All that the expert descends from, as a forest that it is handed to will know them; the nearest first.
std::vector<Ancestor> ancestors_of(const Forest& forest, const ExpertInfo& expert);

// For every node, the share of its initial weights that came from the nodes of `ancestors`: the sum over all paths up
// to the first of them of the product of the weights. Linear in the edges.
std::vector<double> shares_of(const Lineage& lineage, const std::vector<int>& ancestors);

// Nodes of that name or id in this forest: the living one, or else the removed ones; empty if there is none.
std::vector<int> nodes_named(const Lineage& lineage, const std::string& name);

// The removed experts that living ones descend from: training the living took theirs, too.
std::vector<ExpertInfo> removed_ancestors(const Forest& forest);

struct Tainted {
  std::string name;
  double share = 0;  // of its initial weights that came from the expert, along all paths
};
// The living with share > 0. Of a model that had other names here too, such as one imported again after its removal,
// the expert under each of them.
std::vector<Tainted> tainted_by(const Forest& forest, const std::string& name);  // see nodes_named

// "0.7 python + 0.3 rust"; "random weights" without parents. With more than `most` of them, the heaviest first and
// "+ 5 more".
std::string parents_text(const ExpertInfo& info, std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace btm
