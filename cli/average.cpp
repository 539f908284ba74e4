// btm average: one plain LM out of many.
#include "btm/model/average.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/forest/paths.h"
#include "cli/command.h"

namespace btm {
namespace {

struct Options {
  std::vector<std::string> sources;
  std::string output;
  std::string forest;
  bool force = false;
  bool json = false;
};

struct Source {
  std::string name;
  std::optional<double> weight;
};

// "NAME=WEIGHT", or "NAME" alone. What names an existing path is never split.
Source parse_source(const std::string& text) {
  auto equals = text.rfind('=');
  if (equals == std::string::npos || fs::exists(text)) return {text, {}};
  std::string number = text.substr(equals + 1);
  std::size_t used = 0;
  double weight = 0;
  try {
    weight = std::stod(number, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != number.size() || !std::isfinite(weight) || weight < 0) {
    throw input_error("{}: \"{}\" is not a weight; write SOURCE=WEIGHT with a number >= 0", text, number);
  }
  return {text.substr(0, equals), weight};
}

std::vector<std::string> model_names(const ForestPaths& paths) {
  std::vector<std::string> names{"seed"};
  for (const fs::path& folder : {paths.experts(), paths.root / "comparisons"}) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) names.push_back(entry.path().filename().string());
  }
  return names;
}

// A model of the forest by its name, else a folder.
WeightedFolder find_source(const std::string& name, const std::string& forest) {
  if (!forest.empty()) {
    ForestPaths paths{forest};
    bool plain = !name.empty() && name.find('/') == std::string::npos && name.front() != '.';
    for (const fs::path& folder : {paths.seed(), paths.expert(name), paths.comparison(name)}) {
      if (plain && folder.filename() == name && fs::is_directory(folder)) {
        return {folder, 1, folder.lexically_relative(paths.root).string()};
      }
    }
  }
  if (fs::is_directory(name)) return {name, 1};
  if (forest.empty()) throw input_error("{}: no such folder; to name experts of a forest, add --forest FOREST", name);
  std::string near = nearest_word(name, model_names(ForestPaths{forest}));
  throw input_error("{}: neither a model of {} nor a folder{}", name, forest,
                    near.empty() ? "" : fmt::format("; did you mean {}?", near));
}

std::vector<WeightedFolder> find_sources(const Options& options) {
  if (!options.forest.empty() && !fs::is_directory(options.forest)) {
    throw input_error("{}: no such forest", options.forest);
  }
  std::vector<WeightedFolder> folders;
  std::size_t weighted = 0;
  for (const std::string& text : options.sources) {
    Source source = parse_source(text);
    weighted += source.weight.has_value();
    folders.push_back(find_source(source.name, options.forest));
    folders.back().weight = source.weight.value_or(1);
  }
  if (weighted != 0 && weighted != folders.size()) {
    throw input_error("{} of {} sources have a weight; give every source one, or none for equal weights", weighted,
                      folders.size());
  }
  return folders;
}

// --force replaces an earlier average, and nothing that may not be made again.
void check_output(const Options& options) {
  fs::path output = options.output;
  if (!fs::exists(output) || (fs::is_directory(output) && fs::is_empty(output))) return;
  if (!options.force) throw input_error("{} is there already; choose another --output, or --force", output.string());
  if (!fs::exists(output / "average.json")) {
    throw input_error("{}: --force only replaces an earlier average, and this has no average.json", output.string());
  }
}

void run(const Options& options) {
  check_output(options);
  auto sources = find_sources(options);
  fs::path output = fs::path(options.output) / "";  // "dir" and "dir/" are one
  FolderWriter folder(output.parent_path());
  Json record = average_checkpoints(sources, folder.path(), {.threads = 0, .quiet = options.json});
  folder.publish();
  if (options.json) {
    Json json = {{"output", options.output}};
    json.update(record);
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{}: the average of\n", options.output);
  for (const Json& source : record["sources"]) {
    fmt::print("  {:.4f}  {}\n", source["weight"].get<double>(), source["folder"].get<std::string>());
  }
}

}  // namespace

void add_average(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("average", "Average the weights of models: one plain LM out of many");
  command
      ->add_option("SOURCE", options->sources,
                   "Model folders (config.json, safetensors), or with --forest the names of its models; each with "
                   "=WEIGHT, or none for equal weights")
      ->required();
  command->add_option("-o,--output", options->output, "The folder to write; it appears whole or not at all")
      ->required();
  command->add_option("--forest", options->forest, "Where names of models (seed, experts, comparisons) are looked up");
  command->add_flag("--force", options->force, "Replace an earlier average of that name");
  command->add_flag("--json", options->json, "Print the result as one line of JSON");
  command->footer(
      "\nWeights are scaled to sum to 1. The sources must be of one shape and one tokenizer; the result is a Hugging\n"
      "Face folder like them, with average.json saying what it was made of.\n\n"
      "  btm average --forest runs/demo python=0.7 rust=0.3 --output runs/code\n"
      "  btm average run1/checkpoint run2/checkpoint --output soup\n");
  command->callback([options] { run(*options); });
}

}  // namespace btm
