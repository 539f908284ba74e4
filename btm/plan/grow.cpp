#include "btm/plan/grow.h"

#include <algorithm>
#include <set>

#include "btm/core/cores.h"
#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/forest/forest.h"
#include "btm/model/checkpoint.h"
#include "btm/plan/branch.h"
#include "btm/plan/comparisons.h"
#include "btm/plan/corpus.h"
#include "btm/plan/event_files.h"
#include "btm/plan/jobs.h"
#include "btm/plan/launcher.h"

namespace btm {
namespace {

// All that the steps share; each step brings the forest on disk a bit closer to the plan.
class Grower {
 public:
  Grower(const Plan& plan, const GrowOptions& options)
      : plan_(plan), options_(options), paths_{plan.forest}, neighbours_(options.neighbours) {
    make_folders(paths_.root);
  }

  GrowOutcome run() {
    FileLock lock(paths_.lock(), fmt::format("another btm on {}", paths_.root.string()));
    clean_up();
    record_plan();
    prepare();
    grow_seed();
    for (std::size_t i = 0; i < plan_.cycles.size(); ++i) grow_cycle(static_cast<int>(i));
    if (!plan_.cycles.empty()) {
      for (const ComparisonSettings& comparison : plan_.compare) grow_comparison(comparison);
      evaluate();
    }
    complete_event_files(paths_);
    return std::move(outcome_);
  }

 private:
  // What grows under the lock: all but results/, where scores are kept without it.
  void clean_up() const {
    for (const fs::path& folder : {paths_.root, paths_.experts(), paths_.comparisons(), paths_.tokens("")}) {
      remove_leftovers(folder);
    }
    std::error_code none;
    for (const auto& set : fs::directory_iterator(paths_.comparisons(), none)) remove_leftovers(set.path());
  }

  void record_plan() {
    std::string text = to_yaml(settings_json(plan_));
    if (!fs::exists(paths_.plan()) || read_file(paths_.plan()) != text) write_file(paths_.plan(), text);
  }

  void prepare() {
    Tokenizer tokenizer = ensure_tokenizer(plan_, paths_, usable_cores());
    tokenizer_sha256_ = tokenizer.sha256();
    model_ = plan_.model.config;
    if (model_.vocab_size == 0) model_.vocab_size = tokenizer.vocab_size();
    if (model_.vocab_size < tokenizer.vocab_size()) {
      throw input_error("model.vocab_size: {} is less than the tokenizer's {}", model_.vocab_size,
                        tokenizer.vocab_size());
    }
    model_ = resolve(model_);
    reports_ = ensure_tokens(plan_, paths_, tokenizer, domains_in_use(), neighbours_, usable_cores());
  }

  std::set<std::string> domains_in_use() const {
    std::set<std::string> result;
    auto take = [&result](const ExpertInfo& info) { result.insert(info.domains.begin(), info.domains.end()); };
    if (is_published(paths_.seed())) take(load_expert(paths_.seed()));
    if (fs::exists(paths_.log())) {
      for (const ExpertInfo& expert : open_forest(paths_.root).experts) take(expert);
    }
    return result;
  }

  static bool is_published(const fs::path& folder) { return fs::exists(folder / "expert.json"); }

  Json recipe(const ModelTask& task) const { return recipe_of(task, model_, reports_, tokenizer_sha256_); }

  // Throws if the published model is not what the plan asks for. Who its parents were was settled when it was branched.
  void check_unchanged(const ExpertInfo& published, ModelTask task, const std::string& remedy) const {
    task.parents = published.parents;
    std::string difference = recipe_difference(published.recipe, recipe(task));
    if (!difference.empty())
      throw input_error("{}: trained with another recipe: {}; set it back, or {}", task.name, difference, remedy);
  }

  // ---- seed

  void grow_seed() {
    ModelTask task;
    task.name = task.kind = "seed";
    task.tokens = plan_.seed.tokens;
    task.training = plan_.seed.training;
    if (!plan_.model.from.empty()) task.init_sha256 = weights_sha256(plan_.model.from);
    bool all = plan_.seed.domains == std::vector<std::string>{"all"};
    task.domains = all ? domains_of_role(plan_, Role::train) : plan_.seed.domains;
    if (is_published(paths_.seed())) {
      ExpertInfo seed = load_expert(paths_.seed());
      if (all) task.domains = seed.domains;  // all that there were: domains added later have their own experts
      check_unchanged(seed, task, fmt::format("grow another forest: every expert of this one descends from it"));
      return;
    }
    if (task.tokens == 0) {
      task.domains.clear();
      publish_untrained_seed(task);
      return;
    }
    train("seed", {{task, plan_.model.from, task.init_sha256}}, usable_cores());
  }

  // model.from is the seed as it is, or random weights are.
  void publish_untrained_seed(const ModelTask& task) {
    const bool random = plan_.model.from.empty();
    Model model = random ? random_model(model_, static_cast<std::uint64_t>(task.training.random_seed))
                         : load_model(plan_.model.from);
    FolderWriter run(paths_.run("seed"));
    make_folders(run.path() / "model");
    Tokenizer tokenizer = Tokenizer::load(paths_.tokenizer());
    save_model(run.path() / "model", model, tokenizer.end_of_text());
    tokenizer.save(run.path() / "model");
    write_file(run.path() / "metrics.jsonl", "");
    run.publish();
    publish_model(paths_.seed(), paths_.run("seed"), info_of(task, recipe(task), tokenizer_sha256_, TrainingResult{}));
    remove_folder(paths_.run("seed"));
  }

  // ---- cycles

  void grow_cycle(int index) {
    const CycleSettings& cycle = plan_.cycles[static_cast<std::size_t>(index)];
    Forest forest = open_forest(paths_.root);
    std::vector<const ExpertInfo*> candidates;  // the experts of one cycle are branched from the same forest
    for (const ExpertInfo& expert : forest.experts) {
      if (expert.cycle <= index) candidates.push_back(&expert);
    }
    std::vector<Ready> ready;
    for (const std::string& name : cycle.experts) {
      ModelTask task;
      task.name = name;
      task.kind = "expert";
      task.cycle = index + 1;
      task.domains = {name};
      task.tokens = cycle.tokens;
      task.training = cycle.training;
      task.branch = settings_json(cycle.branch);
      if (const ExpertInfo* published = forest.find(name)) {
        check_unchanged(*published, task, "give the new settings to a domain of another name");
        continue;
      }
      if (was_removed(forest, name)) {
        log_info(fmt::format("{}: was removed from the forest and is not grown again; take it out of the plan", name));
        continue;
      }
      throw_if_interrupted();
      task.parents = branch_parents(cycle.branch, forest, candidates, name, usable_cores());
      fs::path init = branch_weights(task.parents, paths_, paths_.branch(name));
      ready.push_back({task, init, init.empty() ? "" : weights_sha256(init)});
    }
    train(fmt::format("cycle {}", index + 1), ready, std::min(workers(), static_cast<int>(cycle.experts.size())));
  }

  static bool was_removed(const Forest& forest, const std::string& name) {
    if (std::ranges::find(forest.to_retrain, name) != forest.to_retrain.end()) return false;
    return std::any_of(forest.removed.begin(), forest.removed.end(),
                       [&name](const ExpertInfo& expert) { return expert.name == name; });
  }

  // ---- comparisons

  void grow_comparison(const ComparisonSettings& settings) {
    const std::string name = comparison_name(settings);
    const fs::path folder = paths_.comparison(name);
    Forest forest = open_forest(paths_.root);
    std::vector<ModelTask> tasks = comparison_tasks(settings, forest);
    keep_published(settings, tasks);
    if (outgrown(folder, tasks)) {
      log_info(fmt::format("{}: the forest has grown since; it is trained anew with the compute of all experts", name));
      remove_folder(folder);
    }
    std::vector<Ready> ready;
    for (ModelTask& task : tasks) {
      if (auto published = published_comparison(task)) {
        check_unchanged(*published, task, fmt::format("delete {} to train it anew", folder.string()));
      } else {
        const bool from_seed = !task.parents.empty();
        ready.push_back({task, from_seed ? paths_.seed() : fs::path(), from_seed ? forest.seed->weights_sha256 : ""});
      }
    }
    train(name, ready, std::min(workers(), static_cast<int>(tasks.size())));
  }

  int workers() const { return plan_.launcher.workers.value_or(usable_cores()); }

  // Of a DEMix model, that of its first domain: all have one recipe.
  std::optional<ExpertInfo> published_comparison(const ModelTask& task) const {
    const fs::path folder = comparison_folder(task);
    const fs::path model = task.demix ? folder / task.domains.front() : folder;
    return is_published(model) ? std::optional(load_expert(model)) : std::nullopt;
  }

  fs::path comparison_folder(const ModelTask& task) const {
    if (task.set.empty() || task.demix) return paths_.comparison(task.name);
    return paths_.comparison(task.set) / task.name;
  }

  // One model that was trained with the compute of more experts than there are now stays as it is.
  void keep_published(const ComparisonSettings& settings, std::vector<ModelTask>& tasks) const {
    ModelTask& task = tasks.front();
    const auto published = published_comparison(task);
    const bool one = task.set.empty() || task.demix;
    if (!one || !published || settings.tokens > 0) return;
    std::vector<std::string> domains = domains_of(*published);
    const auto tokens = published->recipe.value("tokens", std::int64_t{0});
    const bool covers = std::ranges::all_of(task.domains, [&domains](const std::string& domain) {
      return std::ranges::find(domains, domain) != domains.end();
    });
    if (!covers || tokens < task.tokens) return;
    task.domains = std::move(domains);
    task.tokens = tokens;
  }

  static std::vector<std::string> domains_of(const ExpertInfo& info) {
    std::vector<std::string> domains;
    for (const auto& [domain, sha256] : info.recipe["domains"].items()) domains.push_back(domain);
    return domains;
  }

  // Whether there are models for an earlier state of the forest.
  bool outgrown(const fs::path& folder, const std::vector<ModelTask>& tasks) const {
    for (const ModelTask& task : tasks) {
      auto published = published_comparison(task);
      if (!published) continue;
      const Json now = recipe(task), &then = published->recipe;
      if (domains_of(*published) != task.domains || then["tokens"] != now["tokens"] ||
          then.value("part", Json()) != now.value("part", Json())) {
        return true;
      }
    }
    const bool set = !tasks.front().set.empty() && !tasks.front().demix;
    if (!set || !fs::exists(folder)) return false;
    std::set<fs::path> wanted;
    for (const ModelTask& task : tasks) wanted.insert(comparison_folder(task));
    return std::ranges::any_of(fs::directory_iterator(folder),
                               [&wanted](const auto& entry) { return !wanted.contains(entry.path()); });
  }

  // ---- training

  struct Ready {
    ModelTask task;
    fs::path init;  // empty: random
    std::string init_sha256;
  };

  void train(const std::string& title, std::vector<Ready> ready, int workers) {
    std::erase_if(ready, [this](const Ready& item) { return take_over(item.task); });
    if (ready.empty()) return;
    workers = std::min(workers, static_cast<int>(ready.size()));
    int threads = std::max(1, usable_cores() / workers);
    std::vector<LaunchedRun> runs;
    for (const Ready& item : ready) {
      prepare_run(item, threads);
      runs.push_back({run_name(item.task), paths_.run(run_name(item.task))});
    }
    log_info(fmt::format(
        "{}: training {} model{} of {} parameters on {} tokens each, {} at once, {} thread{} each", title, ready.size(),
        ready.size() == 1 ? "" : "s", format_count(static_cast<double>(parameter_count(model_))),
        format_count(static_cast<double>(ready.front().task.tokens)), workers, threads, threads == 1 ? "" : "s"));
    LocalLauncher launcher{options_.program, workers, options_.quiet};
    launch(launcher, title, runs, [&](const LaunchedRun& run) {
      for (const Ready& item : ready) {
        if (run_name(item.task) == run.name) finish(item.task);
      }
    });
  }

  // A neighbour's model of the same recipe, as if it had been trained here.
  bool take_over(const ModelTask& task) {
    const auto found = neighbours_.find_model(recipe_sha256(recipe(task)));
    if (!found) return false;
    const ExpertInfo there = load_expert(task.demix ? *found / task.domains.front() : *found);
    adopt_model(*found, paths_.run(run_name(task)));
    publish(task, {there.tokens, there.updates, there.flops, there.device_seconds, there.dev_loss, there.threads});
    log_detail(fmt::format("{}: taken over from {}", run_name(task), found->string()));
    return true;
  }

  // Leaves the state of a run of the same job as it is, so that it goes on where it stopped.
  void prepare_run(const Ready& item, int threads) {
    fs::path run = paths_.run(run_name(item.task));
    TrainingJob job = job_of(item.task, model_, reports_, paths_, item.init, item.init_sha256, threads);
    if (fs::exists(run / "run.yaml")) {
      TrainingJob there = load_job(run);
      job.threads = there.threads;          // the bytes of the weights depend on it
      there.tensorboard = job.tensorboard;  // the weights don't
      if (settings_json(there) == settings_json(job)) return save_job(run, job);
      log_info(fmt::format("{}: its settings have changed, training starts anew", run_name(item.task)));
      for (const auto& entry : fs::directory_iterator(run)) {
        if (entry.path() != paths_.branch(run_name(item.task))) remove_folder(entry.path());
      }
      job.threads = threads;
    }
    save_job(run, job);
  }

  void finish(const ModelTask& task) {
    const fs::path run = paths_.run(run_name(task));
    std::optional<TrainingResult> result = load_result(run);
    if (!result) throw failure("{}: its worker ended well but left no result.json", run.string());
    publish(task, *result);
    ++outcome_.trained;
    log_info(fmt::format("{}: dev loss {:.3f} after {} tokens, {}", run_name(task), result->dev_loss,
                         format_count(static_cast<double>(result->tokens)), format_duration(result->device_seconds)));
  }

  void publish(const ModelTask& task, const TrainingResult& result) {
    const fs::path run = paths_.run(run_name(task));
    ExpertInfo info = info_of(task, recipe(task), tokenizer_sha256_, result);
    if (task.demix) {
      std::vector<ExpertInfo> infos(task.domains.size(), info);
      for (std::size_t i = 0; i < infos.size(); ++i) {
        infos[i].name = task.domains[i];
        infos[i].domains = {task.domains[i]};
      }
      publish_models(comparison_folder(task), run, infos);
    } else if (task.kind == "expert") {
      merge_expert(paths_, run, info);
    } else {
      publish_model(task.kind == "seed" ? paths_.seed() : comparison_folder(task), run, info);
    }
    remove_folder(run);
  }

  // ---- evaluation

  // What the results depend on: settings, domains with their tokens, and every model's weights.
  Json evaluation_recipe(const Forest& forest) const {
    Json recipe;
    recipe["settings"] = settings_json(plan_.evaluate);
    for (const DomainReport& report : reports_) {
      recipe["domains"][report.name] = {to_word(find_domain(plan_, report.name).role), report.dev_sha256,
                                        report.test_sha256};
    }
    recipe["seed"] = forest.seed ? forest.seed->weights_sha256 : "";
    for (const ExpertInfo& expert : forest.experts) recipe["experts"][expert.name] = expert.weights_sha256;
    for (const ComparisonSettings& comparison : plan_.compare) {
      Json& hashes = recipe["comparisons"][comparison_name(comparison)] = Json::array();
      for (const ModelTask& task : comparison_tasks(comparison, forest)) {
        hashes.push_back(published_comparison(task)->weights_sha256);
      }
    }
    return recipe;
  }

  void evaluate() {
    Forest forest = open_forest(paths_.root);
    if (forest.experts.empty()) return;
    fs::path made_from = paths_.results() / "recipe.json";
    std::string recipe = evaluation_recipe(forest).dump(2) + "\n";
    if (fs::exists(paths_.evaluation()) && fs::exists(made_from) && read_file(made_from) == recipe) {
      outcome_.evaluation = Json::parse(read_file(paths_.evaluation()));
      return;
    }
    std::vector<EvaluationDomain> domains;
    for (const auto& [name, domain] : plan_.domains) domains.push_back({name, std::string(to_word(domain.role))});
    outcome_.evaluation = evaluate_forest(forest, plan_.evaluate, domains, {},
                                          {usable_cores(), options_.quiet, neighbours_.score_folders()});
    outcome_.evaluated = true;
    write_file(made_from, recipe);
  }

  const Plan& plan_;
  const GrowOptions& options_;
  ForestPaths paths_;
  Neighbours neighbours_;
  std::string tokenizer_sha256_;
  ModelConfig model_;
  std::vector<DomainReport> reports_;
  GrowOutcome outcome_;
};

}  // namespace

GrowOutcome grow(const Plan& plan, const GrowOptions& options) {
  return Grower(plan, options).run();
}

}  // namespace btm
