// The models that a forest has, wherever they lie in it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/forest/paths.h"

namespace btm {

struct PublishedModel {
  std::string name;  // seed, an expert's, NAME or NAME/MODEL of a comparison
  std::filesystem::path folder;
  std::string run;  // the name in runs/ and tensorboard/ of the training that left it; several of a DEMix one
};

// The seed, the experts, then the comparisons, each by name, as the folders say (Forest goes by the log). What is not
// published yet is left out.
std::vector<PublishedModel> published_models(const ForestPaths& paths);

}  // namespace btm
