#include "btm/plan/grow.h"

#include <algorithm>
#include <set>
#include <thread>

#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/forest/forest.h"
#include "btm/model/checkpoint.h"
#include "btm/plan/branch.h"
#include "btm/plan/corpus.h"
#include "btm/plan/event_files.h"
#include "btm/plan/jobs.h"
#include "btm/plan/launcher.h"

namespace btm {
namespace {

int cores() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// All that the steps share; each step brings the forest on disk a bit closer to the plan.
class Grower {
 public:
  Grower(const Plan& plan, const GrowOptions& options) : plan_(plan), options_(options), paths_{plan.forest} {
    make_folders(paths_.root);
  }

  GrowOutcome run() {
    FileLock lock(paths_.lock(), fmt::format("another btm on {}", paths_.root.string()));
    record_plan();
    prepare();
    grow_seed();
    for (std::size_t i = 0; i < plan_.cycles.size(); ++i) grow_cycle(static_cast<int>(i));
    if (!plan_.cycles.empty()) {
      for (const ComparisonSettings& comparison : plan_.compare) grow_dense(comparison);
      evaluate();
    }
    complete_event_files(paths_);
    return std::move(outcome_);
  }

 private:
  void record_plan() {
    std::string text = to_yaml(settings_json(plan_));
    if (!fs::exists(paths_.plan()) || read_file(paths_.plan()) != text) write_file(paths_.plan(), text);
  }

  void prepare() {
    Tokenizer tokenizer = ensure_tokenizer(plan_, paths_, cores());
    tokenizer_sha256_ = tokenizer.sha256();
    model_ = plan_.model.config;
    if (model_.vocab_size == 0) model_.vocab_size = tokenizer.vocab_size();
    if (model_.vocab_size < tokenizer.vocab_size()) {
      throw input_error("model.vocab_size: {} is less than the tokenizer's {}", model_.vocab_size,
                        tokenizer.vocab_size());
    }
    model_ = resolve(model_);
    reports_ = ensure_tokens(plan_, paths_, tokenizer, domains_in_use(), cores());
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
    train("seed", {{task, plan_.model.from, task.init_sha256}}, cores());
  }

  // model.from is the seed as it is.
  void publish_untrained_seed(const ModelTask& task) {
    Model model = load_model(plan_.model.from);
    FolderWriter run(paths_.run("seed"));
    make_folders(run.path() / "model");
    Tokenizer tokenizer = Tokenizer::load(paths_.tokenizer());
    save_model(run.path() / "model", model, tokenizer.end_of_text());
    tokenizer.save(run.path() / "model");
    write_file(run.path() / "metrics.jsonl", "");
    run.publish();
    std::string sha256 = weights_sha256(paths_.run("seed") / "model");
    publish_model(paths_.seed(), paths_.run("seed"),
                  info_of(task, recipe(task), tokenizer_sha256_, TrainingResult{}, sha256));
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
      task.parents = branch_parents(cycle.branch, forest, candidates, name, cores());
      fs::path init = branch_weights(task.parents, paths_, paths_.branch(name));
      ready.push_back({task, init, init.empty() ? "" : weights_sha256(init)});
    }
    int workers = std::min({plan_.launcher.workers.value_or(cores()), static_cast<int>(cycle.experts.size())});
    train(fmt::format("cycle {}", index + 1), ready, workers);
  }

  static bool was_removed(const Forest& forest, const std::string& name) {
    return std::any_of(forest.removed.begin(), forest.removed.end(),
                       [&name](const ExpertInfo& expert) { return expert.name == name; });
  }

  // ---- comparisons

  // The seed continued on all training domains for as many tokens as all experts together.
  void grow_dense(const ComparisonSettings& comparison) {
    Forest forest = open_forest(paths_.root);
    ExpertInfo seed = load_expert(paths_.seed());
    ModelTask task;
    task.name = task.kind = "dense";
    task.training = comparison.training;
    task.parents = {{"seed", 1, seed.weights_sha256}};
    task.domains = seed.domains;
    for (const ExpertInfo& expert : forest.experts) {
      task.tokens += expert.tokens;
      for (const std::string& domain : expert.domains) {
        if (std::find(task.domains.begin(), task.domains.end(), domain) == task.domains.end()) {
          task.domains.push_back(domain);
        }
      }
    }
    fs::path folder = paths_.comparison(task.name);
    if (is_published(folder)) {
      ExpertInfo published = load_expert(folder);
      if (published.tokens >= task.tokens - task.training.batch_tokens && published.domains == task.domains) {
        task.tokens = published.recipe.value("tokens", std::int64_t{0});
        check_unchanged(published, task, fmt::format("delete {} to train it anew", folder.string()));
        return;
      }
      log_info("dense: the forest has grown since; it is trained anew with the tokens of all experts");
      remove_folder(folder);
    }
    train(task.name, {{task, paths_.seed(), seed.weights_sha256}}, 1);
  }

  // ---- training

  struct Ready {
    ModelTask task;
    fs::path init;  // empty: random
    std::string init_sha256;
  };

  void train(const std::string& title, const std::vector<Ready>& ready, int workers) {
    if (ready.empty()) return;
    workers = std::min(workers, static_cast<int>(ready.size()));
    int threads = std::max(1, cores() / workers);
    std::vector<LaunchedRun> runs;
    for (const Ready& item : ready) {
      prepare_run(item, threads);
      runs.push_back({item.task.name, paths_.run(item.task.name)});
    }
    log_info(fmt::format(
        "{}: training {} model{} of {} parameters on {} tokens each, {} at once, {} thread{} each", title, ready.size(),
        ready.size() == 1 ? "" : "s", format_count(static_cast<double>(parameter_count(model_))),
        format_count(static_cast<double>(ready.front().task.tokens)), workers, threads, threads == 1 ? "" : "s"));
    LocalLauncher launcher{options_.program, workers, options_.quiet};
    launch(launcher, title, runs, [&](const LaunchedRun& run) {
      for (const Ready& item : ready) {
        if (item.task.name == run.name) publish(item.task);
      }
    });
  }

  // Leaves the state of a run of the same job as it is, so that it goes on where it stopped.
  void prepare_run(const Ready& item, int threads) {
    fs::path run = paths_.run(item.task.name);
    TrainingJob job = job_of(item.task, model_, reports_, paths_, item.init, item.init_sha256, threads);
    if (fs::exists(run / "run.yaml")) {
      TrainingJob there = load_job(run);
      job.threads = there.threads;          // the bytes of the weights depend on it
      there.tensorboard = job.tensorboard;  // the weights don't
      if (settings_json(there) == settings_json(job)) return save_job(run, job);
      log_info(fmt::format("{}: its settings have changed, training starts anew", item.task.name));
      for (const auto& entry : fs::directory_iterator(run)) {
        if (entry.path() != paths_.branch(item.task.name)) remove_folder(entry.path());
      }
      job.threads = threads;
    }
    save_job(run, job);
  }

  void publish(const ModelTask& task) {
    fs::path run = paths_.run(task.name);
    std::optional<TrainingResult> result = load_result(run);
    if (!result) throw failure("{}: its worker ended well but left no result.json", run.string());
    ExpertInfo info = info_of(task, recipe(task), tokenizer_sha256_, *result, weights_sha256(run / "model"));
    if (task.kind == "expert") {
      merge_expert(paths_, run, info);
    } else {
      publish_model(task.kind == "seed" ? paths_.seed() : paths_.comparison(task.name), run, info);
    }
    remove_folder(run);
    ++outcome_.trained;
    log_info(fmt::format("{}: dev loss {:.3f} after {} tokens, {}", task.name, result->dev_loss,
                         format_count(static_cast<double>(result->tokens)), format_duration(result->device_seconds)));
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
      std::string name(to_word(comparison.model));
      recipe["comparisons"][name] = load_expert(paths_.comparison(name)).weights_sha256;
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
    outcome_.evaluation = evaluate_forest(forest, plan_.evaluate, domains, {}, cores(), options_.quiet);
    outcome_.evaluated = true;
    write_file(made_from, recipe);
  }

  const Plan& plan_;
  const GrowOptions& options_;
  ForestPaths paths_;
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
