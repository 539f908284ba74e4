// The models of the baselines beside a forest.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/forest/expert.h"
#include "btm/forest/paths.h"

namespace btm {

struct ComparisonModel {
  std::string name;  // NAME, or NAME/MODEL of a comparison that has several
  std::filesystem::path folder;
  ExpertInfo info;
  std::string run;  // the name in runs/ and tensorboard/ of the training that left it (run_name() in jobs.h)
};

struct PublishedComparison {
  std::string name;  // of its folder in comparisons/
  std::vector<ComparisonModel> models;
  bool demix = false;  // they come out of one run, and share all but their feed-forward networks
};

// Names that models, runs and event files of baselines have, or may have: no expert takes one.
bool is_name_of_comparison(const std::string& name);

// In the order of their names.
std::vector<PublishedComparison> published_comparisons(const ForestPaths& paths);

}  // namespace btm
