// btm show: all that is known of one model of a forest.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/forest/edit_log.h"
#include "btm/forest/lineage.h"
#include "btm/forest/published_comparisons.h"
#include "cli/command.h"
#include "cli/nearest_model.h"

namespace btm {
namespace {

struct ShowArguments {
  std::string forest, expert;
  bool json = false;
};

struct Found {
  ExpertInfo info;
  fs::path folder;  // empty: removed
};

[[noreturn]] void unknown_model(const Forest& forest, const std::string& name) {
  std::vector<std::string> names;
  if (forest.seed) names.push_back(kSeedName);
  for (const ExpertInfo& info : forest.experts) names.push_back(info.name);
  for (const ExpertInfo& info : forest.removed) {  // one of that name may live, or have been removed before
    if (std::ranges::find(names, info.name) == names.end()) names.push_back(info.name);
  }
  for (const PublishedComparison& comparison : published_comparisons(forest.paths)) {
    for (const ComparisonModel& model : comparison.models) names.push_back(model.name);
  }
  const std::string there =
      names.empty() ? "the forest has none yet" : fmt::format("there are {}", fmt::join(names, ", "));
  throw input_error("{}: no model '{}'{}", forest.paths.root.string(), name,
                    did_you_mean(nearest_model(name, names), there));
}

// The seed, a living expert, a model of a comparison, or else the expert of that name or id that was removed last.
Found find_model(const Forest& forest, const std::string& name) {
  const ForestPaths& paths = forest.paths;
  if (name == kSeedName && forest.seed) return {*forest.seed, paths.seed()};
  if (const ExpertInfo* alive = forest.find(name)) return {*alive, paths.expert(name)};
  for (PublishedComparison& comparison : published_comparisons(paths)) {
    for (ComparisonModel& model : comparison.models) {
      if (model.name == name) return {std::move(model.info), model.folder};
    }
  }
  const Lineage lineage = lineage_of(forest);
  const std::vector<int> nodes = nodes_named(lineage, name);
  // The lineage has a seed even where none is trained yet.
  if (nodes.empty() || lineage.nodes[nodes.back()].standing != Standing::removed) unknown_model(forest, name);
  return {lineage.nodes[nodes.back()].info, {}};
}

// When the last edit of that kind was logged for the model; "" for one that isn't an expert.
std::string time_of(const Forest& forest, EditKind edit, const ExpertInfo& info) {
  std::string time;
  for (const Edit& each : read_edits(forest.paths.log())) {
    if (each.edit == edit && each.expert == info.name && each.weights_sha256 == info.weights_sha256) time = each.time;
  }
  return time;
}

double taint_of(const Forest& forest, const ExpertInfo& info) {
  for (const LineageNode& node : lineage_of(forest).nodes) {
    if (node.info.name == info.name && node.info.weights_sha256 == info.weights_sha256) return node.taint;
  }
  return 0;
}

void line(const char* name, const std::string& value) {
  if (!value.empty()) fmt::print("  {:<13}{}\n", name, value);
}

std::string descendants_text(const Forest& forest, const std::string& name) {
  std::string text;
  for (const Tainted& each : tainted_by(forest, name)) {
    text += fmt::format("{}{} ({:.1f} %)", text.empty() ? "" : ", ", each.name, 100 * each.share);
  }
  return text;
}

std::string indented(const std::string& text) {
  std::string result = "    ";
  for (char c : text.substr(0, text.find_last_not_of('\n') + 1)) {
    result += c;
    if (c == '\n') result += "    ";
  }
  return result + "\n";
}

// `name`: by which it was found
void print_text(const Forest& forest, const Found& found, const std::string& name) {
  const ExpertInfo& info = found.info;
  std::string removed = found.folder.empty() ? time_of(forest, EditKind::remove, info) : "";
  fmt::print("{}: {}{}{}\n", info.name, info.kind, info.cycle > 0 ? fmt::format(" of cycle {}", info.cycle) : "",
             removed.empty() ? "" : ", removed " + removed);
  line("domains", fmt::format("{}", fmt::join(info.domains, ", ")));
  line("from", info.kind == "expert" || !info.parents.empty() ? parents_text(info) : "");
  line("tokens", fmt::format("{} in {} updates", format_count(static_cast<double>(info.tokens)), info.updates));
  line("compute",
       fmt::format("{} FLOPs, {} of device time", format_count(info.flops), format_duration(info.device_seconds)));
  if (info.updates > 0) {
    line("dev loss", fmt::format("{:.4f} nats per token, perplexity {:.4g}", info.dev_loss, std::exp(info.dev_loss)));
  }
  line("descendants", descendants_text(forest, name));
  if (double taint = taint_of(forest, info); taint > 0) {
    line("tainted", fmt::format("{:.1f} % of its initial weights came from removed experts", 100 * taint));
  }
  if (info.imported) {
    line("imported",
         fmt::format("{} (called {} in its forest)", time_of(forest, EditKind::import, info), info.imported->name));
  } else {
    line("merged", time_of(forest, EditKind::merge, info));
  }
  line("folder", found.folder.string());
  line("weights", info.weights_sha256);
  line("tokenizer", info.tokenizer_sha256);
  line("made by", fmt::format("btm {}", info.tool_version));
  line("recipe", info.recipe_sha256);
  if (!info.recipe.is_null()) fmt::print("{}", indented(to_yaml(info.recipe)));
}

void run_show(const ShowArguments& options) {
  Forest forest = open_forest(options.forest);
  Found found = find_model(forest, options.expert);
  if (!options.json) return print_text(forest, found, options.expert);
  Json json = expert_json(found.info);
  json["state"] = found.folder.empty() ? "removed" : "alive";
  json["folder"] = found.folder.string();
  json["perplexity"] = perplexity_of(found.info);
  json["tainted"] = taint_of(forest, found.info);
  json["descendants"] = Json::array();
  for (const Tainted& each : tainted_by(forest, options.expert)) {
    json["descendants"].push_back({{"name", each.name}, {"share", each.share}});
  }
  fmt::print("{}\n", json.dump(2));
}

}  // namespace

void add_show(CLI::App& app) {
  auto options = std::make_shared<ShowArguments>();
  Command command(app, "show", "Show all that is known of one model: lineage, compute, recipe");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  command
      .add_option("EXPERT", options->expert,
                  "Name of an expert, also a removed one (NAME@HASH, as lineage tells it, where another has its name "
                  "now); seed; or a comparison, as NAME/MODEL if it has several models")
      .required();
  command.add_flag("--json", options->json,
                   "Print as JSON: expert.json with state, folder, perplexity, tainted, descendants");
  command.callback([options] { run_show(*options); });
}

}  // namespace btm
