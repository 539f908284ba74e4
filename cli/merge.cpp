// btm merge: publish a finished run into the forest.
#include <algorithm>
#include <memory>
#include <optional>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/hash.h"
#include "btm/forest/lineage.h"
#include "btm/model/average.h"
#include "btm/plan/event_files.h"
#include "btm/plan/jobs.h"
#include "btm/train/trainer.h"
#include "cli/command.h"
#include "cli/named_weight.h"

namespace btm {
namespace {

struct MergeArguments {
  std::string forest, run, name;
  std::vector<std::string> domains, parents;
  std::optional<int> cycle;
  bool json = false;
};

// The model of the forest, living or removed, with these weights.
const ExpertInfo* find_weights(const Forest& forest, const std::string& sha256) {
  auto has = [&sha256](const ExpertInfo& info) { return info.weights_sha256 == sha256; };
  if (forest.seed && has(*forest.seed)) return &*forest.seed;
  for (const auto* experts : {&forest.experts, &forest.removed}) {
    auto at = std::find_if(experts->begin(), experts->end(), has);
    if (at != experts->end()) return &*at;
  }
  return nullptr;
}

Parent parent_by_weights(const Forest& forest, const fs::path& init, const std::string& sha256, double weight) {
  const ExpertInfo* found = find_weights(forest, sha256);
  if (!found) {
    throw input_error(
        "{}: weights with the hash {} are of no model of the forest; name the parents: --parent NAME=WEIGHT",
        init.string(), sha256);
  }
  return {found->kind == kSeedName ? std::string(kSeedName) : found->name, weight, sha256};
}

// Whose weights the run started from: those of the average that `btm branch` made, or of the one model.
std::vector<Parent> parents_of_init(const Forest& forest, const TrainingJob& job) {
  if (job.init.empty()) return {};
  fs::path record = fs::path(job.init) / kAverageRecord;
  if (!fs::exists(record)) return {parent_by_weights(forest, job.init, job.init_sha256, 1)};
  std::vector<Parent> parents;
  try {
    const Json json = Json::parse(read_file(record));
    for (const Json& source : json.at("sources")) {
      double weight = source.at("weight").get<double>();
      if (weight == 0) continue;
      std::string hash = source.value("sha256", source.value("xxh3", ""));
      parents.push_back(parent_by_weights(forest, job.init, hash, weight));
    }
  } catch (const Json::exception& e) {
    throw input_error("{}: broken ({}); name the parents: --parent NAME=WEIGHT", record.string(), e.what());
  }
  return parents;
}

std::vector<Parent> parents_of(const MergeArguments& options, const Forest& forest, const TrainingJob& job) {
  if (options.parents.empty()) return parents_of_init(forest, job);
  std::vector<Parent> parents;
  double sum = 0;
  for (const std::string& text : options.parents) {
    const NamedWeight parent = parse_named_weight(text);
    parents.push_back({parent.name, parent.weight.value_or(1), ""});
    sum += parents.back().weight;
    for (const auto* experts : {&forest.removed, &forest.experts}) {  // the living one last, so that it counts
      for (const ExpertInfo& info : *experts) {
        if (info.name == parents.back().name) parents.back().sha256 = info.weights_sha256;
      }
    }
    if (parents.back().name == kSeedName && forest.seed) parents.back().sha256 = forest.seed->weights_sha256;
  }
  for (Parent& parent : parents) parent.weight /= sum > 0 ? sum : 1;
  return parents;
}

// One cycle after the youngest parent.
int next_cycle(const Forest& forest, const std::vector<Parent>& parents) {
  int cycle = 0;
  for (const auto* experts : {&forest.experts, &forest.removed}) {
    for (const ExpertInfo& info : *experts) {
      bool is_parent = std::any_of(parents.begin(), parents.end(), [&info](const Parent& parent) {
        return parent.name == info.name && parent.sha256 == info.weights_sha256;
      });
      if (is_parent) cycle = std::max(cycle, info.cycle);
    }
  }
  return cycle + 1;
}

// As `btm grow` records it: the seed alone is the default, anything else was chosen.
Json branch_of(const std::vector<Parent>& parents) {
  BranchSettings branch;
  if (parents.empty()) branch.from = BranchKind::random;
  if (parents.size() != 1 || parents.front().name != kSeedName) {
    for (const Parent& parent : parents) branch.weights.push_back({parent.name, parent.weight});
  }
  return settings_json(branch);
}

// Those that the run was trained on, or those given, of which the forest has tokens: a slip of the pen would be an
// expert of a domain that no plan can have.
std::vector<std::string> domains_of(const MergeArguments& options, const ForestPaths& paths, const TrainingJob& job) {
  std::vector<std::string> trained_on, known;
  for (const TrainingData& data : job.data) trained_on.push_back(data.domain);
  if (options.domains.empty()) return trained_on;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(paths.tokens(""), none)) {
    known.push_back(entry.path().filename().string());
  }
  std::ranges::sort(known);
  known.insert(known.end(), trained_on.begin(), trained_on.end());
  for (const std::string& domain : options.domains) {
    if (std::ranges::find(known, domain) != known.end()) continue;
    const std::string near = nearest_word(domain, known);
    throw input_error("--domain {}: {} has no tokens of that domain; {}", domain, paths.root.string(),
                      near.empty() ? "make them with btm prepare" : fmt::format("did you mean '{}'?", near));
  }
  return options.domains;
}

ExpertInfo expert_of_run(const MergeArguments& options, const Forest& forest) {
  fs::path run = options.run;
  TrainingJob job = load_job(run);
  std::optional<TrainingResult> result = load_result(run);
  if (!result)
    throw input_error("{}: the run isn't finished (no result.json); go on with: btm train {}", run.string(),
                      run.string());
  ModelTask task;
  task.name = options.name.empty() ? job.name : options.name;
  task.kind = "expert";
  task.parents = parents_of(options, forest, job);
  task.branch = branch_of(task.parents);
  task.cycle = options.cycle.value_or(next_cycle(forest, task.parents));
  task.tokens = job.tokens;
  task.training = job.training;
  ForestBase base{forest.paths, job.model, sha256_file(run / "model" / "tokenizer.json"), {}};
  for (const TrainingData& data : job.data) {
    task.domains.push_back(data.domain);
    base.domains.emplace_back().name = data.domain;
    base.domains.back().train_sha256 = data.train_sha256;
  }
  ExpertInfo info = info_of(task, base, *result);
  info.domains = domains_of(options, forest.paths, job);
  return info;
}

void run_merge(const MergeArguments& options) {
  if (!fs::is_directory(options.run)) throw input_error("{}: no run there (no such folder)", options.run);
  ForestPaths paths = replay_forest(options.forest).paths;  // a clear message if there is none, before a lock is made
  FileLock lock(paths.lock(), fmt::format("another btm on {}", paths.root.string()));
  Forest forest = replay_forest(paths.root);
  ExpertInfo info = expert_of_run(options, forest);
  bool known = forest.find(info.name) != nullptr;
  merge_expert(paths, options.run, info);
  complete_event_files(paths);
  ExpertInfo merged = load_expert(paths.expert(info.name));
  if (options.json) {
    fmt::print("{}\n", expert_json(merged).dump(2));
  } else {
    fmt::print("{}: {} {} (cycle {}, from {})\n", paths.expert(info.name).string(),
               known ? "is merged already:" : "merged", merged.name, merged.cycle, parents_text(merged));
  }
}

}  // namespace

void add_merge(CLI::App& app) {
  auto options = std::make_shared<MergeArguments>();
  Command command(app, "merge", "Publish a finished run as an expert of the forest");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  command.add_option("RUN", options->run, "Folder of the run, as btm train left it").required();
  command.add_option("--name", options->name, "Of the expert; default: the run's").not_empty();
  command.add_option("--domain", options->domains, "It is the expert of these; default: those it was trained on");
  command.add_option("--cycle", options->cycle, "Default: one after its youngest parent").positive();
  command
      .add_option("--parent", options->parents,
                  "NAME=WEIGHT, several times; default: found by the hashes of the run's initial weights")
      .one_value();
  command.add_flag("--json", options->json, "Print its expert.json");
  command.footer(
      "\nThe same run merged again changes nothing. An expert of that name with another recipe, another tokenizer or\n"
      "another shape is an error. A run starts from the folder that `btm branch` prints.\n\n"
      "  btm branch runs/demo ruby --from posterior --top-k 2 --output init/ruby\n"
      "  btm train --output runs/ruby --init init/ruby --tokens-from runs/demo/tokens/ruby --tokens 500k\n"
      "  btm merge runs/demo runs/ruby --name ruby");
  command.callback([options] { run_merge(*options); });
}

}  // namespace btm
