// The three forms in which a lineage is shown.
#include "btm/forest/lineage_text.h"

#include "btm/core/format.h"

namespace btm {
namespace {

// Shown below its weightiest parent: a tree can hold each node once, its label names all parents.
int main_parent(const LineageNode& node) {
  int best = -1;
  double weight = 0;
  for (const LineageEdge& edge : node.parents) {
    if (edge.weight > weight) {
      weight = edge.weight;
      best = edge.parent;
    }
  }
  return best;
}

std::string label(const LineageNode& node) {
  std::string text = node.id;
  if (node.info.cycle > 0) {
    text += fmt::format(", cycle {}, from {}", node.info.cycle, parents_text(node.info));
  }
  if (node.info.tokens > 0) text += fmt::format(", {} tokens", format_count(static_cast<double>(node.info.tokens)));
  if (node.standing == Standing::removed) text += " (removed)";
  if (node.standing == Standing::elsewhere) text += " (in another forest)";
  if (node.standing == Standing::alive && node.taint > 0)
    text += fmt::format(" (tainted: {:.1f} % of its start was removed)", node.taint * 100);
  return text;
}

struct Tree {
  const Lineage& lineage;
  std::vector<std::vector<int>> children;
  std::string text;

  void draw_children(int node, const std::string& indent) {
    for (std::size_t i = 0; i < children[node].size(); ++i) {
      int child = children[node][i];
      bool last = i + 1 == children[node].size();
      text += indent + (last ? "└── " : "├── ") + label(lineage.nodes[child]) + "\n";
      draw_children(child, indent + (last ? "    " : "│   "));
    }
  }
};

std::string quoted(const std::string& text) {
  return Json(text).dump();  // the escapes of DOT's strings are a part of JSON's
}

}  // namespace

std::string lineage_text(const Lineage& lineage) {
  Tree tree{lineage, std::vector<std::vector<int>>(lineage.nodes.size()), ""};
  std::vector<int> roots;
  for (int i = 0; i < static_cast<int>(lineage.nodes.size()); ++i) {
    int parent = main_parent(lineage.nodes[i]);
    (parent < 0 ? roots : tree.children[parent]).push_back(i);
  }
  for (int root : roots) {
    tree.text += label(lineage.nodes[root]) + "\n";
    tree.draw_children(root, "");
  }
  return tree.text;
}

Json lineage_json(const Lineage& lineage) {
  Json nodes = Json::array(), edges = Json::array();
  for (const LineageNode& node : lineage.nodes) {
    const ExpertInfo& info = node.info;
    nodes.push_back({{"id", node.id},
                     {"name", info.name},
                     {"kind", info.kind},
                     {"state", to_word(node.standing)},
                     {"cycle", info.cycle},
                     {"domains", info.domains},
                     {"tokens", info.tokens},
                     {"weights_sha256", info.weights_sha256},
                     {"tainted", node.taint}});
    for (const LineageEdge& edge : node.parents) {
      edges.push_back({{"from", lineage.nodes[edge.parent].id}, {"to", node.id}, {"weight", edge.weight}});
    }
  }
  return {{"nodes", nodes}, {"edges", edges}};
}

std::string lineage_dot(const Lineage& lineage) {
  std::string text = "digraph forest {\n  node [shape=box];\n";
  for (const LineageNode& node : lineage.nodes) {
    std::string cycle = node.info.cycle == 0 ? "" : fmt::format("\ncycle {}", node.info.cycle);
    const char* style = node.standing == Standing::removed     ? ", style=dashed"
                        : node.standing == Standing::elsewhere ? ", style=dotted"
                        : node.taint > 0                       ? ", color=red"
                                                               : "";
    text += fmt::format("  {} [label={}{}];\n", quoted(node.id), quoted(node.id + cycle), style);
  }
  for (const LineageNode& node : lineage.nodes) {
    for (const LineageEdge& edge : node.parents) {
      if (edge.weight <= 0) continue;
      text += fmt::format("  {} -> {} [label=\"{:.3g}\"];\n", quoted(lineage.nodes[edge.parent].id), quoted(node.id),
                          edge.weight);
    }
  }
  return text + "}\n";
}

}  // namespace btm
