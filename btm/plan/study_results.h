// What came of a study's forests: the points of its table and plot.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/plan/study.h"

namespace btm {

struct GrownVariant {
  std::string variant;  // its name
  std::filesystem::path forest;
  Json evaluation;  // results/evaluation.json
};

// As study.json has them (docs/formats.md). Throws Error(input) for a series that no forest has a number of.
Json study_results(const Study& study, const std::vector<GrownVariant>& grown);

Json place_of(const StudyVariant& variant);                           // on the axis: a number or a word
std::string label_of(const Study& study, const StudySeries& series);  // of its line, without what all have in common

}  // namespace btm
