#include "btm/forest/lineage.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace btm {
namespace {

// Of a child that has its parent's very weights, since nothing was learnt.
bool is_untrained(const ExpertInfo& info) {
  return std::ranges::find(info.parents, info.weights_sha256, &Parent::sha256) != info.parents.end();
}

// One model under two names, such as an expert that was removed and imported again; never a child and its parent.
bool is_same_model(const ExpertInfo& a, const ExpertInfo& b) {
  return !a.weights_sha256.empty() && a.weights_sha256 == b.weights_sha256 && !is_untrained(a) && !is_untrained(b);
}

// The node itself if it is alive, or else a living one of the same model, if there is one.
int living_or_itself(const Lineage& lineage, int node) {
  if (lineage.nodes[node].standing == Standing::alive) return node;
  for (int i = 0; i < static_cast<int>(lineage.nodes.size()); ++i) {
    const LineageNode& other = lineage.nodes[i];
    if (other.standing == Standing::alive && is_same_model(other.info, lineage.nodes[node].info)) return i;
  }
  return node;
}

// The node with these weights, whatever it is called here; where several have them a living one, then one of that name.
// -1: none.
int node_with(const Lineage& lineage, const std::string& sha256, const std::string& name) {
  int found = -1;
  for (int i = 0; i < static_cast<int>(lineage.nodes.size()); ++i) {
    const ExpertInfo& info = lineage.nodes[i].info;
    if (info.weights_sha256 != sha256) continue;
    if (info.name == name) return living_or_itself(lineage, i);
    if (found < 0) found = i;
  }
  return found;
}

// The node that a parent names: the one with its weights, or, where a hash isn't known, the living or latest of its
// name.
int parent_node(const Lineage& lineage, const Parent& parent) {
  if (!parent.sha256.empty()) {
    if (int found = node_with(lineage, parent.sha256, parent.name); found >= 0) return found;
  }
  int found = -1;
  bool found_alive = false;
  for (int i = 0; i < static_cast<int>(lineage.nodes.size()); ++i) {
    const LineageNode& node = lineage.nodes[i];
    const bool unknown = parent.sha256.empty() || node.info.weights_sha256.empty();
    if (node.info.name != parent.name || !unknown) continue;
    if (!found_alive) found = i;
    found_alive = found_alive || node.standing == Standing::alive;
  }
  return found;
}

void add_nodes(Lineage& lineage, const std::vector<ExpertInfo>& experts, Standing standing) {
  for (const ExpertInfo& info : experts) lineage.nodes.push_back({info.name, info, standing, {}, 0});
}

// What imported experts descend from and was never here.
void add_nodes_elsewhere(Lineage& lineage, const std::vector<ExpertInfo>& experts) {
  for (const ExpertInfo& info : experts) {
    if (!info.imported) continue;
    for (const Ancestor& ancestor : info.imported->ancestors) {
      if (node_with(lineage, ancestor.sha256, ancestor.name) >= 0) continue;
      ExpertInfo there;
      there.name = ancestor.name;
      there.kind = ancestor.cycle == 0 ? kSeedName : kExpertKind;
      there.cycle = ancestor.cycle;
      there.parents = ancestor.parents;
      there.weights_sha256 = ancestor.sha256;
      add_nodes(lineage, {there}, Standing::elsewhere);
    }
  }
}

void make_ids_unique(Lineage& lineage) {
  constexpr std::size_t kHashDigits = 8;
  std::map<std::string, int> count;
  for (const LineageNode& node : lineage.nodes) ++count[node.info.name];
  for (LineageNode& node : lineage.nodes) {
    if (node.standing != Standing::alive && count[node.info.name] > 1) {
      node.id = fmt::format("{}@{}", node.info.name, node.info.weights_sha256.substr(0, kHashDigits));
    }
  }
}

// These nodes, and those that are the same models under other names.
std::vector<int> with_other_names(const Lineage& lineage, std::vector<int> nodes) {
  const std::size_t named = nodes.size();
  for (std::size_t n = 0; n < named; ++n) {
    for (int i = 0; i < static_cast<int>(lineage.nodes.size()); ++i) {
      if (is_same_model(lineage.nodes[i].info, lineage.nodes[nodes[n]].info)) nodes.push_back(i);
    }
  }
  return nodes;
}

// Depth first; `shares` holds -1 where not known yet. A node being visited counts as 0, so a broken log can't loop.
double share_of(const Lineage& lineage, int node, const std::vector<bool>& counted, std::vector<double>& shares) {
  if (shares[node] >= 0) return shares[node];
  shares[node] = 0;
  double share = 0;
  for (const LineageEdge& edge : lineage.nodes[node].parents) {
    share += edge.weight * (counted[edge.parent] ? 1.0 : share_of(lineage, edge.parent, counted, shares));
  }
  return shares[node] = share;
}

}  // namespace

Lineage lineage_of(const Forest& forest) {
  Lineage lineage;
  ExpertInfo seed = forest.seed.value_or(ExpertInfo{});
  seed.name = seed.kind = kSeedName;
  add_nodes(lineage, {seed}, Standing::alive);
  add_nodes(lineage, forest.experts, Standing::alive);
  add_nodes(lineage, forest.removed, Standing::removed);
  for (const auto* experts : {&forest.experts, &forest.removed}) add_nodes_elsewhere(lineage, *experts);
  make_ids_unique(lineage);
  std::vector<int> removed;
  for (int i = 0; i < static_cast<int>(lineage.nodes.size()); ++i) {
    LineageNode& node = lineage.nodes[i];
    if (node.standing == Standing::removed) removed.push_back(i);
    for (const Parent& parent : node.info.parents) {
      if (int at = parent_node(lineage, parent); at >= 0) node.parents.push_back({at, parent.weight});
    }
  }
  std::vector<double> taints = shares_of(lineage, removed);
  for (std::size_t i = 0; i < taints.size(); ++i) lineage.nodes[i].taint = taints[i];
  return lineage;
}

std::vector<ExpertInfo> removed_ancestors(const Forest& forest) {
  const Lineage lineage = lineage_of(forest);
  std::vector<bool> reached(lineage.nodes.size());
  std::vector<int> open;
  const auto reach = [&](int node) {
    if (!reached[node]) open.push_back(node);
    reached[node] = true;
  };
  for (int i = 0; i < static_cast<int>(lineage.nodes.size()); ++i) {
    if (lineage.nodes[i].standing == Standing::alive) reach(i);
  }
  while (!open.empty()) {
    const int node = open.back();
    open.pop_back();
    for (const LineageEdge& edge : lineage.nodes[node].parents) reach(edge.parent);
  }
  std::vector<ExpertInfo> found;
  for (std::size_t i = 0; i < reached.size(); ++i) {
    if (reached[i] && lineage.nodes[i].standing == Standing::removed) found.push_back(lineage.nodes[i].info);
  }
  return found;
}

bool is_seed(const LineageNode& node) {
  return node.info.name == kSeedName && node.standing == Standing::alive;
}

std::vector<Ancestor> ancestors_of(const Forest& forest, const ExpertInfo& expert) {
  const Lineage lineage = lineage_of(forest);
  std::vector<Ancestor> ancestors;
  std::vector<Parent> open = expert.parents;
  for (std::size_t i = 0; i < open.size(); ++i) {
    const Parent parent = open[i];
    if (std::ranges::find(ancestors, parent.sha256, &Ancestor::sha256) != ancestors.end()) continue;
    const int at = parent_node(lineage, parent);
    const ExpertInfo info = at >= 0 ? lineage.nodes[at].info : ExpertInfo{};
    ancestors.push_back({at >= 0 ? info.name : parent.name, parent.sha256, info.cycle, info.parents});
    open.insert(open.end(), info.parents.begin(), info.parents.end());
  }
  return ancestors;
}

std::vector<double> shares_of(const Lineage& lineage, const std::vector<int>& ancestors) {
  std::vector<bool> counted(lineage.nodes.size(), false);
  for (int ancestor : ancestors) counted[ancestor] = true;
  std::vector<double> shares(lineage.nodes.size(), -1.0);
  for (int i = 0; i < static_cast<int>(shares.size()); ++i) share_of(lineage, i, counted, shares);
  return shares;
}

std::vector<int> nodes_named(const Lineage& lineage, const std::string& name) {
  std::vector<int> found;
  for (int i = 0; i < static_cast<int>(lineage.nodes.size()); ++i) {
    const LineageNode& node = lineage.nodes[i];
    if ((node.info.name != name && node.id != name) || node.standing == Standing::elsewhere) continue;
    if (node.standing == Standing::alive) return {i};
    found.push_back(i);
  }
  return found;
}

std::vector<Tainted> tainted_by(const Forest& forest, const std::string& name) {
  Lineage lineage = lineage_of(forest);
  std::vector<double> shares = shares_of(lineage, with_other_names(lineage, nodes_named(lineage, name)));
  std::vector<Tainted> tainted;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const LineageNode& node = lineage.nodes[i];
    if (node.standing == Standing::alive && shares[i] > 0) tainted.push_back({node.info.name, shares[i]});
  }
  return tainted;
}

std::string parents_text(const ExpertInfo& info, std::size_t most) {
  std::vector<Parent> parents;
  std::copy_if(info.parents.begin(), info.parents.end(), std::back_inserter(parents),
               [](const Parent& parent) { return parent.weight > 0; });
  if (parents.empty()) return info.name == kSeedName ? "" : "random weights";
  if (parents.size() > most) {
    std::stable_sort(parents.begin(), parents.end(),
                     [](const Parent& a, const Parent& b) { return a.weight > b.weight; });
  }
  std::vector<std::string> words;
  for (const Parent& parent : parents) {
    if (words.size() == most) {
      words.push_back(fmt::format("{} more", parents.size() - most));
      break;
    }
    words.push_back(fmt::format("{:.3g} {}", parent.weight, parent.name));
  }
  return fmt::format("{}", fmt::join(words, " + "));
}

}  // namespace btm
