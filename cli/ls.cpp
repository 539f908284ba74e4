// btm ls: the experts of a forest and the runs in progress.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "btm/core/files.h"
#include "btm/forest/lineage.h"
#include "btm/report/text_table.h"
#include "btm/train/metrics.h"
#include "cli/command.h"

namespace btm {
namespace {

constexpr std::size_t kNamesShown = 3;  // domains or parents of a model: one row of a terminal holds no more
constexpr std::int64_t kSilent = 120;   // seconds without a sign of life after which a run has probably died

struct Options {
  std::string forest;
  bool json = false;
};

struct Run {
  std::string name;
  RunStatus status;
};

// Runs whose result isn't published yet, by name.
std::vector<Run> open_runs(const Forest& forest) {
  std::vector<Run> runs;
  if (!fs::is_directory(forest.paths.runs())) return runs;
  for (const auto& entry : fs::directory_iterator(forest.paths.runs())) {
    std::string name = entry.path().filename().string();
    bool published = name == kSeedName ? forest.seed.has_value()
                                       : forest.find(name) || fs::exists(forest.paths.comparison(name) / "expert.json");
    if (published) continue;
    if (auto status = load_status(entry.path())) runs.push_back({name, *status});
  }
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.name < b.name; });
  return runs;
}

std::int64_t age(const RunStatus& status) {
  auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  return std::max<std::int64_t>(0, now.count() - status.time);
}

std::string state(const RunStatus& status) {
  if (status.state == "done") return "done, not merged";
  if (status.state != "running" || age(status) < kSilent) return status.state;
  return fmt::format("silent for {}", format_duration(static_cast<double>(age(status))));
}

std::string domains_text(const ExpertInfo& info) {
  if (info.domains.size() > kNamesShown) return fmt::format("{} domains", info.domains.size());
  return fmt::format("{}", fmt::join(info.domains, ", "));
}

std::string experts_table(const Forest& forest) {
  TextTable table{{{"name", Align::left},
                   {"domains", Align::left},
                   {"cycle"},
                   {"branched from", Align::left},
                   {"tokens"},
                   {"FLOPs"},
                   {"device time"},
                   {"dev loss"},
                   {"perplexity"}},
                  {}};
  auto add = [&table](const ExpertInfo& info) {
    bool trained = info.updates > 0;
    table.rows.push_back({info.name, domains_text(info), std::to_string(info.cycle), parents_text(info, kNamesShown),
                          format_count(static_cast<double>(info.tokens)), format_count(info.flops),
                          format_duration(info.device_seconds), trained ? fmt::format("{:.3f}", info.dev_loss) : "",
                          trained ? fmt::format("{:.4g}", std::exp(info.dev_loss)) : ""});
  };
  if (forest.seed) add(*forest.seed);
  for (const ExpertInfo& info : forest.experts) add(info);
  return to_text(table);
}

std::string runs_table(const std::vector<Run>& runs) {
  TextTable table{{{"run", Align::left}, {"state", Align::left}, {"updates"}, {"done"}, {"tokens/s"}, {"loss"}}, {}};
  for (const auto& [name, status] : runs) {
    double share = status.updates > 0 ? static_cast<double>(status.update) / static_cast<double>(status.updates) : 0;
    table.rows.push_back({name, state(status), fmt::format("{}/{}", status.update, status.updates),
                          fmt::format("{:.0f} %", 100 * share), format_count(status.tokens_per_second),
                          fmt::format("{:.3f}", status.loss)});
  }
  return to_text(table);
}

Json summary(const LineageNode& node) {
  Json json = settings_json(node.info);
  json["perplexity"] = std::exp(node.info.dev_loss);
  json["tainted"] = node.taint;
  return json;
}

void print_json(const Forest& forest, const std::vector<Run>& runs) {
  Json json = {{"forest", forest.paths.root.string()},
               {"seed", nullptr},
               {"experts", Json::array()},
               {"removed", Json::array()},
               {"runs", Json::array()}};
  for (const LineageNode& node : lineage_of(forest).nodes) {
    if (node.info.name == kSeedName) {
      if (forest.seed) json["seed"] = summary(node);
    } else {
      json[node.removed ? "removed" : "experts"].push_back(summary(node));
    }
  }
  for (const Run& run : runs) {
    Json entry = {{"name", run.name}};
    entry.update(settings_json(run.status));
    json["runs"].push_back(entry);
  }
  fmt::print("{}\n", json.dump(2));
}

void run(const Options& options) {
  Forest forest = open_forest(options.forest);
  std::vector<Run> runs = open_runs(forest);
  if (options.json) return print_json(forest, runs);
  if (forest.seed || !forest.experts.empty()) {
    fmt::print("{}", experts_table(forest));
  } else {
    fmt::print("no models yet\n");
  }
  for (const LineageNode& node : lineage_of(forest).nodes) {
    if (node.removed || node.taint <= 0) continue;
    fmt::print("tainted: {} ({:.1f} % of its initial weights came from removed experts)\n", node.id, 100 * node.taint);
  }
  if (!forest.removed.empty()) {
    std::vector<std::string> names;
    for (const ExpertInfo& info : forest.removed) names.push_back(info.name);
    fmt::print("removed: {}\n", fmt::join(names, ", "));
  }
  if (!runs.empty()) fmt::print("\n{}", runs_table(runs));
}

}  // namespace

void add_ls(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("ls", "List the experts of a forest and the runs in progress");
  command->add_option("FOREST", options->forest, "Folder of the forest")->required();
  command->add_flag("--json", options->json, "Print as JSON");
  command->footer(
      "\nTokens, FLOPs and device time are those of the expert's own training; dev loss is in nats per token on the "
      "dev\n"
      "text of its domains, perplexity its exponential.");
  command->callback([options] { run(*options); });
}

}  // namespace btm
