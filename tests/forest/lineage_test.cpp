#include "btm/forest/lineage.h"

#include "btm/core/random.h"
#include "btm/forest/lineage_text.h"
#include "tests/forest/runs.h"

namespace btm {
namespace {

ExpertInfo node(const std::string& name, int cycle, std::vector<Parent> parents) {
  ExpertInfo info = test::expert_info(name, cycle, std::move(parents));
  info.weights_sha256 = "weights of " + name;
  return info;
}

Forest small_forest() {
  Forest forest;
  forest.seed = node("seed", 0, {});
  forest.experts = {node("a", 1, {{"seed", 1, ""}}), node("b", 1, {{"seed", 1, ""}}),
                    node("c", 2, {{"a", 0.75, ""}, {"b", 0.25, ""}}), node("d", 3, {{"c", 0.5, ""}, {"a", 0.5, ""}}),
                    node("e", 1, {})};
  return forest;
}

// Sum over all paths, one by one, from the node up to the ancestor.
double paths_up(const Forest& forest, const ExpertInfo& from, const std::string& ancestor) {
  double sum = 0;
  for (const Parent& parent : from.parents) {
    if (parent.name == ancestor) {
      sum += parent.weight;
    } else if (const ExpertInfo* next = forest.find(parent.name)) {
      sum += parent.weight * paths_up(forest, *next, ancestor);
    }
  }
  return sum;
}

double share_in(const std::vector<Tainted>& tainted, const std::string& name) {
  for (const Tainted& each : tainted) {
    if (each.name == name) return each.share;
  }
  return 0;
}

TEST(Lineage, SharesOfASmallForestByHand) {
  Forest forest = small_forest();
  std::vector<Tainted> tainted = tainted_by(forest, "a");
  ASSERT_EQ(tainted.size(), 2u);
  EXPECT_EQ(tainted[0].name, "c");
  EXPECT_DOUBLE_EQ(tainted[0].share, 0.75);
  EXPECT_EQ(tainted[1].name, "d");
  EXPECT_DOUBLE_EQ(tainted[1].share, 0.5 + 0.5 * 0.75);
  EXPECT_EQ(tainted_by(forest, "seed").size(), 4u);  // all but e, which started from random weights
  EXPECT_TRUE(tainted_by(forest, "d").empty());
  EXPECT_TRUE(tainted_by(forest, "nobody").empty());
}

TEST(Lineage, AParentWithoutAHashIsTheLivingOneOrTheLatestOfItsName) {
  Forest forest = small_forest();
  for (const char* weights : {"older weights", "later weights"}) {
    forest.removed.push_back(node("a", 1, {{"seed", 1, ""}}));
    forest.removed.back().weights_sha256 = weights;
  }
  for (const LineageNode& node : lineage_of(forest).nodes) {
    if (node.standing == Standing::alive) {
      EXPECT_EQ(node.taint, 0) << node.id;
    }
  }
  forest.experts.erase(forest.experts.begin());
  const Lineage lineage = lineage_of(forest);
  const LineageNode& c = lineage.nodes[static_cast<std::size_t>(nodes_named(lineage, "c").at(0))];
  EXPECT_EQ(lineage.nodes[static_cast<std::size_t>(c.parents.at(0).parent)].info.weights_sha256, "later weights");
}

TEST(Lineage, WhatNeverWasHereHasNoNameHere) {
  Forest forest = small_forest();
  forest.experts[0].imported = Origin{"a", {{"far", "weights of far", 1, {}}}};
  const Lineage lineage = lineage_of(forest);
  EXPECT_EQ(lineage.nodes.back().info.name, "far");
  EXPECT_TRUE(nodes_named(lineage, "far").empty());
}

TEST(Lineage, SharesOfRandomForestsAgainstPathEnumeration) {
  Random random(7);
  for (int trial = 0; trial < 20; ++trial) {
    Forest forest;
    forest.seed = node("seed", 0, {});
    for (int i = 0; i < 12; ++i) {
      std::vector<Parent> parents;
      double sum = 0;
      for (int j = -1; j < i; ++j) {
        double weight = random.uniform() < 0.4 ? random.uniform() : 0.0;
        if (random.uniform() < 0.6)
          parents.push_back({j < 0 ? std::string("seed") : fmt::format("x{}", j), weight, ""});
        sum += parents.empty() ? 0 : parents.back().weight;
      }
      for (Parent& parent : parents) parent.weight /= std::max(sum, 1e-9);
      forest.experts.push_back(node(fmt::format("x{}", i), 1, parents));
    }
    for (const ExpertInfo& ancestor : forest.experts) {
      std::vector<Tainted> tainted = tainted_by(forest, ancestor.name);
      for (const ExpertInfo& info : forest.experts) {
        double expected = paths_up(forest, info, ancestor.name);
        EXPECT_NEAR(share_in(tainted, info.name), expected, 1e-12);
      }
    }
  }
}

TEST(Lineage, TaintSumsOverAllRemoved) {
  Forest forest = small_forest();
  forest.removed = {forest.experts[0], forest.experts[1]};  // a and b
  forest.experts.erase(forest.experts.begin(), forest.experts.begin() + 2);
  Lineage lineage = lineage_of(forest);
  for (const LineageNode& each : lineage.nodes) {
    double expected = each.info.name == "c" || each.info.name == "d" ? 1.0 : 0.0;
    EXPECT_DOUBLE_EQ(each.taint, expected) << each.id;
  }
}

TEST(Lineage, RemovedAncestorsAreThoseThatTheLivingDescendFrom) {
  Forest forest = small_forest();
  EXPECT_TRUE(removed_ancestors(forest).empty());
  forest.removed = {forest.experts[0], forest.experts[2], forest.experts[4]};  // a, c and e
  forest.experts = {forest.experts[1], forest.experts[3]};                     // d is of c and a
  std::vector<std::string> names;
  for (const ExpertInfo& info : removed_ancestors(forest)) names.push_back(info.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "c"}));
}

// seed -> a -> b -> c, of which c is left.
TEST(Lineage, RemovedAncestorsAreThoseOfRemovedOnesToo) {
  Forest forest;
  forest.seed = node("seed", 0, {});
  forest.removed = {node("a", 1, {{"seed", 1, ""}}), node("b", 2, {{"a", 1, ""}}), node("x", 1, {{"seed", 1, ""}})};
  forest.experts = {node("c", 3, {{"b", 1, ""}})};
  std::vector<std::string> names;
  for (const ExpertInfo& info : removed_ancestors(forest)) names.push_back(info.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
}

// An expert merged again under the name of a removed one is another node: children of the first keep their parent.
TEST(Lineage, NameUsedTwiceIsTwoNodes) {
  Forest forest = small_forest();
  ExpertInfo first = node("a", 1, {{"seed", 1, ""}});
  forest.removed = {first};
  forest.experts[0].weights_sha256 = "0123456789";
  forest.experts[2].parents[0].sha256 = first.weights_sha256;  // c came from the first a; d from the second
  forest.experts[3].parents = {{"a", 1, "0123456789"}};
  Lineage lineage = lineage_of(forest);
  EXPECT_DOUBLE_EQ(lineage.nodes[3].taint, 0.75);
  EXPECT_DOUBLE_EQ(lineage.nodes[4].taint, 0);
  EXPECT_EQ(lineage.nodes[1].id, "a");
  EXPECT_EQ(lineage.nodes.back().id, "a@weights ");
  std::vector<Tainted> tainted = tainted_by(forest, "a");
  ASSERT_EQ(tainted.size(), 1u);
  EXPECT_EQ(tainted[0].name, "d");
  tainted = tainted_by(forest, lineage.nodes.back().id);
  ASSERT_EQ(tainted.size(), 1u);
  EXPECT_EQ(tainted[0].name, "c");
}

// What learnt nothing has its parent's weights, and is its child all the same.
TEST(Lineage, UntrainedChildIsNotItsParent) {
  Forest forest;
  forest.seed = node("seed", 0, {});
  const std::string hash = forest.seed->weights_sha256;
  for (const auto& [name, parent] : {std::pair("a", "seed"), {"b", "a"}, {"c", "b"}}) {
    forest.experts.push_back(node(name, 1, {{parent, 1, hash}}));
    forest.experts.back().weights_sha256 = hash;
  }
  EXPECT_EQ(tainted_by(forest, "b").size(), 1u);  // c
  forest.removed = {forest.experts[0]};
  forest.experts.erase(forest.experts.begin());
  EXPECT_EQ(tainted_by(forest, "a").size(), 2u);
  EXPECT_DOUBLE_EQ(lineage_of(forest).nodes[1].taint, 1);  // of b
}

TEST(Lineage, LogThatGoesInCirclesEnds) {
  Forest forest;
  forest.experts = {node("a", 1, {{"b", 1, ""}}), node("b", 1, {{"a", 1, ""}})};
  EXPECT_LE(tainted_by(forest, "a").size(), 2u);
}

TEST(Lineage, ParentsInWordsTheWeightiestFirstWhereTheyAreMany) {
  ExpertInfo info = node("e", 2, {{"a", 0.1, ""}, {"b", 0, ""}, {"c", 0.6, ""}, {"d", 0.3, ""}});
  EXPECT_EQ(parents_text(info), "0.1 a + 0.6 c + 0.3 d");
  EXPECT_EQ(parents_text(info, 3), "0.1 a + 0.6 c + 0.3 d");
  EXPECT_EQ(parents_text(info, 1), "0.6 c + 2 more");
  EXPECT_EQ(parents_text(node("e", 1, {})), "random weights");
  EXPECT_EQ(parents_text(node("seed", 0, {})), "");
}

TEST(Lineage, TreeShowsEachNodeOnce) {
  Forest forest = small_forest();
  forest.removed = {forest.experts[1]};
  forest.experts.erase(forest.experts.begin() + 1);
  EXPECT_EQ(lineage_text(lineage_of(forest)),
            "seed, 1k tokens\n"
            "├── a, cycle 1, from 1 seed, 1k tokens\n"
            "│   └── c, cycle 2, from 0.75 a + 0.25 b, 1k tokens (tainted: 25.0 % of its start was removed)\n"
            "│       └── d, cycle 3, from 0.5 c + 0.5 a, 1k tokens (tainted: 12.5 % of its start was removed)\n"
            "└── b, cycle 1, from 1 seed, 1k tokens (removed)\n"
            "e, cycle 1, from random weights, 1k tokens\n");
}

TEST(Lineage, JsonAndDotHaveAllEdges) {
  Lineage lineage = lineage_of(small_forest());
  Json json = lineage_json(lineage);
  ASSERT_EQ(json["nodes"].size(), 6u);
  ASSERT_EQ(json["edges"].size(), 6u);
  EXPECT_EQ(json["edges"][2]["from"], "a");
  EXPECT_EQ(json["edges"][2]["to"], "c");
  EXPECT_EQ(json["edges"][2]["weight"], 0.75);
  std::string dot = lineage_dot(lineage);
  EXPECT_EQ(dot.find("digraph forest {"), 0u);
  EXPECT_NE(dot.find("  \"a\" -> \"c\" [label=\"0.75\"];\n"), std::string::npos) << dot;
  EXPECT_NE(dot.find("  \"c\" [label=\"c\\ncycle 2\"];\n"), std::string::npos) << dot;
}

}  // namespace
}  // namespace btm
