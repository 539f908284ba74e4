// btm ls: the experts of a forest and the runs in progress.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/interrupt.h"
#include "btm/core/terminal.h"
#include "btm/forest/lineage.h"
#include "btm/report/text_table.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/run_table.h"

namespace btm {
namespace {

constexpr std::size_t kNamesShown = 3;  // domains or parents of a model: one row of a terminal holds no more
constexpr auto kWatchEvery = std::chrono::seconds(2);

struct LsArguments {
  std::string forest;
  bool watch = false, json = false;
};

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

Json summary(const LineageNode& node) {
  Json json = settings_json(node.info);
  json["perplexity"] = perplexity_of(node.info);
  json["tainted"] = node.taint;
  if (node.info.imported) json["imported"] = settings_json(*node.info.imported);
  return json;
}

void print_json(const Forest& forest, const std::vector<OpenRun>& runs) {
  Json json = {{"forest", forest.paths.root.string()},
               {"seed", nullptr},
               {"experts", Json::array()},
               {"removed", Json::array()},
               {"runs", Json::array()}};
  for (const LineageNode& node : lineage_of(forest).nodes) {
    if (is_seed(node)) {
      if (forest.seed) json["seed"] = summary(node);
    } else if (node.standing != Standing::elsewhere) {
      json[node.standing == Standing::removed ? "removed" : "experts"].push_back(summary(node));
    }
  }
  for (const OpenRun& run : runs) {
    Json entry = {{"name", run.name}};
    entry.update(settings_json(run.status));
    entry["job"] = run.job;
    entry["seconds_left"] = run.seconds_left;
    json["runs"].push_back(entry);
  }
  fmt::print("{}\n", json.dump(2));
}

// The runs, again and again until a signal: redrawn on a terminal.
void watch(const fs::path& root) {
  while (!interrupted()) {
    const Forest forest = open_forest(root);
    const std::vector<OpenRun> runs = open_runs(forest);
    constexpr const char* kClear = "\033[H\033[J";
    write_out(fmt::format("{}{}: {} merged, {} open\n{}\n", is_terminal(stdout) ? kClear : "", root.string(),
                          counted(forest.experts.size(), "expert"), counted(runs.size(), "run"),
                          runs.empty() ? "" : run_table(runs)));
    std::this_thread::sleep_for(kWatchEvery);
  }
}

void run_ls(const LsArguments& options) {
  if (options.watch) return watch(options.forest);
  Forest forest = open_forest(options.forest);
  std::vector<OpenRun> runs = open_runs(forest);
  if (options.json) return print_json(forest, runs);
  if (forest.seed || !forest.experts.empty()) {
    fmt::print("{}", experts_table(forest));
  } else {
    fmt::print("no models yet\n");
  }
  for (const ExpertInfo& info : forest.experts) {
    if (info.imported) fmt::print("imported: {} (called {} in its forest)\n", info.name, info.imported->name);
  }
  for (const LineageNode& node : lineage_of(forest).nodes) {
    if (node.standing != Standing::alive || node.taint <= 0) continue;
    fmt::print("tainted: {} ({:.1f} % of its initial weights came from removed experts)\n", node.id, 100 * node.taint);
  }
  if (!forest.removed.empty()) {
    std::vector<std::string> names;
    for (const ExpertInfo& info : forest.removed) {  // one that was removed twice is there with each of its weights
      const bool again = forest.find(info.name) || std::ranges::find(names, info.name) != names.end();
      if (!again) names.push_back(info.name);
    }
    if (!names.empty()) fmt::print("removed: {}\n", fmt::join(names, ", "));
  }
  if (!runs.empty()) fmt::print("\n{}", run_table(runs));
}

}  // namespace

void add_ls(CLI::App& app) {
  auto options = std::make_shared<LsArguments>();
  Command command(app, "ls", "List the experts of a forest and the runs in progress");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  const Option watch =
      command.add_flag("--watch", options->watch, "Show the runs in progress anew every two seconds, until Ctrl-C");
  command.add_flag("--json", options->json, "Print as JSON").excludes(watch);
  command.footer(
      "\nTokens, FLOPs and device time are those of the expert's own training; dev loss is in nats per token on the "
      "dev\n"
      "text of its domains, perplexity its exponential.");
  command.callback([options] { run_ls(*options); });
}

}  // namespace btm
