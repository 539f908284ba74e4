// A question about forests: a plan grown in several variants, and what came of each.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/core/settings.h"
#include "btm/plan/grow.h"

namespace btm {

struct StudyVariant {
  std::string name;
  std::string x;
  std::string series;
  std::string row, domains;
  std::vector<std::string> set;
};
template <class F>
void visit(StudyVariant& s, F&& f) {
  f("name", s.name, "of the variant and of its forest's folder");
  f("x", s.x, "its place on the plot's axis, a number or a word; empty: the name");
  f("series", s.series, "name of the line that it is a point of; empty: that of the series below");
  f("row", s.row, "of the results, in place of the series' own");
  f("domains", s.domains, "in place of the series' own");
  f("set", s.set, "what differs from the plan, as for btm grow --set");
}

struct StudySeries {
  std::string row = "ensemble";
  std::string domains = "train";
  std::string measure = "perplexity";
};
template <class F>
void visit(StudySeries& s, F&& f) {
  f("row", s.row, "of the results: ensemble, dense, top_1, ...");
  f("domains", s.domains, "train, novel, all, or one domain");
  f("measure", s.measure, "perplexity or bits_per_byte");
}

struct Study {
  std::string study, question, plan, folder, x_label;
  bool log_x = false;
  std::vector<std::string> set;
  std::vector<std::int64_t> random_seeds;
  std::vector<StudyVariant> variants;
  std::vector<StudySeries> series;
};
template <class F>
void visit(Study& s, F&& f) {
  f("study", s.study, "name");
  f("question", s.question, "that it answers, for people");
  f("plan", s.plan, "the plan that is varied; relative to this file");
  f("folder", s.folder, "the variants' forests and the results go below it");
  f("x_label", s.x_label, "what the variants differ in: the plot's axis");
  f("log_x", s.log_x, "a logarithmic axis");
  f("set", s.set, "what all variants set, as for btm grow --set");
  f("random_seeds", s.random_seeds, "each variant is grown with each of these; mean and spread are shown");
  f("variants", s.variants, "in the order of the table");
  f("series", s.series, "columns of the table, lines of the plot");
}

// Throws Error(input): no plan, no variants, a variant's name that is twice there or can't be a folder's.
Study load_study(const std::filesystem::path& file);

// Grows the forest of every variant that is not there yet; variants that set the same are one forest. Those with the
// same tokenizer settings share one; models, tokens and scores of equal recipe are shared between them and with the
// studies in folders beside this one's. Writes FOLDER/study.json and gives it:
//   {"study", "question", "x": {"label", "log"}, "y": {"label"},
//    "series": [{"name", "points": [{"x", "y", "spread"}]}], "variants": [{"name", "forest"}]}
// A point's y is the mean over the random seeds, its spread the standard deviation where there are several. Throws
// Error(input) before any is grown: a plan that can't be or has no cycles, a row, domain or measure that no results of
// these plans have.
Json run_study(const Study& study, const GrowOptions& options);

}  // namespace btm
