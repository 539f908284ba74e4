// btm remove: take an expert out of the forest.
#include "btm/forest/remove.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>

#include "btm/core/cores.h"
#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/forest/lineage.h"
#include "btm/plan/forest_tokens.h"
#include "btm/plan/growable.h"
#include "btm/plan/plan_check.h"
#include "btm/plan/planned_forest.h"
#include "cli/command.h"
#include "cli/grow_options.h"

namespace btm {
namespace {

struct RemoveArguments {
  std::string forest, expert;
  bool descendants = false, retrain = false, yes = false, json = false;

  Descendants choice() const {
    return retrain ? Descendants::retrain : descendants ? Descendants::remove : Descendants::keep;
  }
};

// Asks only where a person can answer: a script that calls this has decided already.
bool confirmed(const RemoveArguments& options, const std::vector<std::string>& names) {
  if (options.yes || options.json || names.empty() || !::isatty(STDIN_FILENO)) return true;
  print_stderr(fmt::format("delete {} for good? [y/N] ", fmt::join(names, ", ")));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

void print_tainted(const RemoveArguments& options, const Forest& forest, const std::vector<Tainted>& tainted) {
  const char* fates[] = {"stays, tainted", "goes with it", "is trained again without it"};
  const char* imported = "goes with it, since it was imported and can't be trained here";
  std::int64_t tokens = 0;
  double flops = 0, seconds = 0;
  bool any = false;  // that can be trained again here
  for (const Tainted& each : tainted) {
    const ExpertInfo& info = *forest.find(each.name);
    const bool lost = info.imported && options.retrain;
    fmt::print("{} has {:.1f} % of its initial weights from {}: {}\n", each.name, 100 * each.share, options.expert,
               lost ? imported : fates[static_cast<int>(options.choice())]);
    if (info.imported) continue;
    any = true;
    tokens += info.tokens;
    flops += info.flops;
    seconds += info.device_seconds;
  }
  if (!any) return;
  fmt::print("training them again takes {} tokens, {}FLOPs, {} of device time\n",
             format_count(static_cast<double>(tokens)), format_count(flops), format_duration(seconds));
}

void print_removed_before(const Forest& forest, const std::string& name) {
  fmt::print("{} was removed before\n", name);
  const auto last = std::ranges::find(forest.removed.rbegin(), forest.removed.rend(), name, &ExpertInfo::name);
  if (!last->imported && !was_removed(forest, name)) {
    fmt::print("it is to be trained again by the next grow; take it out of `cycles` if it is not\n");
  }
}

void print_json(const std::vector<std::string>& removed, const std::vector<Tainted>& tainted, bool descendants) {
  Json json = {{"removed", removed}, {"tainted", Json::array()}};
  for (const Tainted& each : tainted) {
    if (!descendants) json["tainted"].push_back({{"name", each.name}, {"share", each.share}});
  }
  fmt::print("{}\n", json.dump(2));
}

bool in_cycles(const Plan& plan, const std::string& name) {
  return std::ranges::any_of(plan.cycles, [&name](const CycleSettings& cycle) {
    return std::ranges::find(cycle.experts, name) != cycle.experts.end();
  });
}

// Told before anything is gone: what would keep `grow` from training them again.
void check_retraining(const Plan& plan, Forest forest, const RemoveArguments& options,
                      const std::vector<std::string>& names) {
  check_growable(plan);
  check_published(plan);
  require_texts(plan);
  for (const std::string& name : names) {
    if (name == options.expert || forest.find(name)->imported || in_cycles(plan, name)) continue;
    throw input_error(
        "{} descends from it and is in no cycle of the plan ({}), so it can't be trained again; nothing was removed: "
        "leave out --retrain to keep it, or give --descendants to remove it, too",
        name, forest.paths.plan().string());
  }
  const ExpertInfo* expert = forest.find(options.expert);
  if (expert && !expert->imported) forest.removed_for_good.push_back(options.expert);
  std::erase_if(forest.experts,
                [&names](const ExpertInfo& info) { return std::ranges::find(names, info.name) != names.end(); });
  try {
    check_parents(plan, forest);
  } catch (const Error& e) {
    throw input_error(
        "what descends from it can't be trained again as the plan says ({}: {}); nothing was removed: give "
        "--descendants to remove it, too",
        forest.paths.plan().string(), e.what());
  }
}

// Text that the others were trained on and that has changed, or can't be read: `grow` would find it when all is gone.
void prepare_text(const Plan& plan, Forest forest, const std::vector<std::string>& names) {
  std::erase_if(forest.experts,
                [&names](const ExpertInfo& info) { return std::ranges::find(names, info.name) != names.end(); });
  ensure_tokens(plan, forest.paths, Tokenizer::load(forest.paths.tokenizer()), domains_in_use(forest), Neighbours({}),
                usable_cores());
}

void run_remove(const RemoveArguments& options) {
  const bool all = options.choice() != Descendants::keep;
  ForestPaths paths = replay_forest(options.forest).paths;  // a clear message if there is none, before a lock is made
  std::optional<ForestLock> lock(std::in_place, paths);
  Forest forest = replay_forest(paths.root);
  std::vector<std::string> names = removal_of(forest, options.expert, all);
  std::vector<Tainted> tainted = tainted_by(forest, options.expert);
  std::optional<Plan> plan;  // as it was grown last, now without the expert
  if (options.retrain) {
    plan = load_recorded_plan(paths);
    check_plan(*plan);
    check_retraining(*plan, forest, options, names);
  }
  if (!options.json) print_tainted(options, forest, tainted);
  if (!confirmed(options, names)) {
    fmt::print("nothing removed\n");
    return;
  }
  if (plan) prepare_text(*plan, forest, names);
  remove_expert(forest, options.expert, options.choice());
  if (!options.json) {
    if (names.empty()) print_removed_before(forest, options.expert);
    for (const std::string& name : names) fmt::print("removed {}\n", name);
    std::fflush(stdout);
  }
  if (plan) {
    lock.reset();
    grow(*plan, grow_options(options.json));
  }
  if (options.json) return print_json(names, tainted, all);
  if (!tainted.empty() && !all) {
    fmt::print("to remove what descends from it too: btm remove {} {} --descendants; to train it again: --retrain\n",
               options.forest, options.expert);
  }
}

}  // namespace

void add_remove(CLI::App& app) {
  auto options = std::make_shared<RemoveArguments>();
  Command command(app, "remove", "Take an expert out of the forest and delete its weights");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  command.add_option("EXPERT", options->expert, "Name of the expert").required();
  Option descendants =
      command.add_flag("--descendants", options->descendants, "Remove every expert with a share of it too");
  command
      .add_flag("--retrain", options->retrain,
                "Remove every expert with a share of it too, and train those again from what is left")
      .excludes(descendants);
  command.add_flag("-y,--yes", options->yes, "Don't ask (asked only on a terminal)");
  command.add_flag("--json", options->json, "Don't ask, and print what was removed and what is tainted as JSON");
  command.footer(
      "\nLists first the experts whose initial weights came in part from this one. Without --descendants they stay "
      "and\n"
      "are marked as tainted by `btm ls` and `btm lineage`. The lineage of a removed expert stays in log.jsonl.\n"
      "`btm grow` doesn't train it again, whether the plan's `cycles` name it or not; its domain stays in the plan, "
      "as\n"
      "the seed was trained on it. To have it back, merge it again with `btm merge`.");
  command.callback([options] { run_remove(*options); });
}

}  // namespace btm
