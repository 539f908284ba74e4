#include "btm/plan/grow.h"

#include <algorithm>

#include "btm/core/cores.h"
#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/half_written.h"
#include "btm/core/hash.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/core/seal.h"
#include "btm/forest/forest.h"
#include "btm/forest/merge.h"
#include "btm/forest/models.h"
#include "btm/forest/published_comparisons.h"
#include "btm/model/checkpoint.h"
#include "btm/plan/baselines.h"
#include "btm/plan/branch.h"
#include "btm/plan/evaluation.h"
#include "btm/plan/event_files.h"
#include "btm/plan/forecast.h"
#include "btm/plan/forest_tokenizer.h"
#include "btm/plan/forest_tokens.h"
#include "btm/plan/growable.h"
#include "btm/plan/jobs.h"
#include "btm/plan/launch/workers.h"
#include "btm/plan/planned_forest.h"
#include "btm/plan/scoring_place.h"
#include "btm/plan/training.h"
#include "btm/train/result.h"

namespace btm {
namespace {

// All that the steps share; each step brings the forest on disk a bit closer to the plan.
class Grower {
 public:
  Grower(const Plan& plan, const GrowOptions& options)
      : plan_(plan),
        options_(options),
        paths_{plan.forest},
        neighbours_(options.neighbours),
        base_{paths_, {}, {}, {}, plan.trainer.command},
        place_{options.program, plan.launcher, options.quiet, options.resubmit},
        training_(base_, neighbours_, place_) {
    make_folders(paths_.root);
  }

  GrowOutcome run() {
    ForestLock lock(paths_);
    clean_up();
    if (!fs::exists(paths_.plan())) record_plan();
    prepare();
    check_published(plan_, base_);
    // What can't be trained is told before the seed is, not when a later step begins.
    require_room(plan_, forecast(plan_, base_.model, forest_so_far(paths_)));
    record_plan();  // one that the forest doesn't fit has been refused
    outcome_.complete = grow_seed() && grow_cycles();
    if (outcome_.complete && !plan_.cycles.empty()) {
      outcome_.complete = grow_comparisons();
      if (outcome_.complete) evaluate();
    }
    complete_event_files(paths_);
    outcome_.trained = training_.trained();
    return std::move(outcome_);
  }

 private:
  void clean_up() const {
    remove_leftovers(paths_.root);
    for (const fs::path& folder : paths_.own_folders()) remove_leftovers(folder);
    remove_leftovers(paths_.scores());
    std::error_code none;
    for (const auto& set : fs::directory_iterator(paths_.comparisons(), none)) remove_leftovers(set.path());
    if (fs::is_empty(paths_.runs(), none)) return;  // as a rule
    for (const PublishedModel& model : published_models(paths_)) remove_published_run(model);
  }

  // Left where a crash came between a model's publication and its run's removal.
  void remove_published_run(const PublishedModel& model) const {
    const RunPaths run{paths_.run(model.run)};
    const bool unfinished = fs::exists(run.job()) && !fs::exists(run.result());
    if (unfinished || !fs::exists(run.model())) return;
    const bool one = fs::exists(run.model() / kWeightsFile);
    try {
      const std::string left = weights_sha256(one ? run.model() : run.model() / model.folder.filename());
      if (left == load_expert(model.folder).weights_sha256) remove_whole(run.root);
    } catch (const Error& e) {  // for `btm verify` to tell
      log_detail(e.what());
    }
  }

  void record_plan() { ensure_sealed_file(paths_.plan(), to_yaml(settings_json(plan_))); }

  void prepare() {
    Tokenizer tokenizer = ensure_tokenizer(plan_, paths_, neighbours_, usable_cores());
    base_.tokenizer_sha256 = tokenizer.sha256();
    ModelConfig model = plan_.model.config;
    if (model.vocab_size == 0) model.vocab_size = tokenizer.vocab_size();
    base_.model = resolve(model);
    base_.domains =
        ensure_tokens(plan_, paths_, tokenizer, domains_in_use(forest_so_far(paths_)), neighbours_, usable_cores());
  }

  // ---- seed

  bool grow_seed() {
    if (is_published(paths_.seed())) return true;
    ModelTask task = seed_task(plan_);
    if (task.tokens == 0) {
      publish_untrained_seed(task);
      return true;
    }
    return training_.train(kSeedName, {{task, plan_.model.from, task.init_sha256}});
  }

  // model.from is the seed as it is, or random weights are.
  void publish_untrained_seed(const ModelTask& task) {
    const bool random = plan_.model.from.empty();
    Model model = random ? random_model(base_.model, static_cast<std::uint64_t>(task.training.random_seed))
                         : shortened(load_model(plan_.model.from), base_.model.context);
    FolderWriter run(paths_.run(kSeedName));
    const RunPaths made{run.path()};
    make_folders(made.model());
    Tokenizer tokenizer = Tokenizer::load(paths_.tokenizer());
    save_model(made.model(), model, tokenizer.end_of_text(), plan_.model.from);
    tokenizer.save(made.model(), base_.model.context);
    write_file(made.metrics(), "");
    run.publish();
    publish_model(paths_.seed(), paths_.run(kSeedName), info_of(task, base_, TrainingResult{}));
    remove_whole(paths_.run(kSeedName));
  }

  // ---- cycles

  bool grow_cycles() {
    return std::ranges::all_of(cycle_groups(plan_), [this](CycleGroup group) { return grow_together(group); });
  }

  bool grow_together(CycleGroup group) {
    const auto [first, last, together] = group;
    std::vector<PendingModel> pending;
    for (std::size_t i = first; i < last; ++i) add_experts(i, pending);
    const std::string title =
        last == first + 1 ? fmt::format("cycle {}", last) : fmt::format("cycles {} to {}", first + 1, last);
    return training_.train(title, std::move(pending), together);
  }

  void add_experts(std::size_t index, std::vector<PendingModel>& pending) {
    const CycleSettings& cycle = plan_.cycles[index];
    const Forest forest = open_forest(paths_.root);
    for (const std::string& name : cycle.experts) {
      if (forest.find(name)) continue;
      if (was_removed(forest, name)) {
        log_info(fmt::format("{}: was removed from the forest and is not grown again; take it out of `cycles`", name));
      } else {
        pending.push_back({expert_task(plan_, index, name), {}, "", cycle.after, [&cycle, this](PendingModel& model) {
                             branch(cycle, model);
                           }});
      }
    }
  }

  void branch(const CycleSettings& cycle, PendingModel& model) const {
    throw_if_interrupted();
    const Forest forest = open_forest(paths_.root);
    ModelTask& task = model.task;
    task.parents =
        branch_parents(cycle.branch, forest, candidates(cycle, task.cycle, forest), task.name, scoring_place(plan_));
    if (task.parents.empty()) {
      task.training.random_seed = own_random_seed(task);
    } else {
      task.first_round = round_after_seed(task, *forest.seed, base_.model.context);
    }
    model.init = branch_weights(task.parents, paths_, paths_.branch(task.name));
    if (!model.init.empty()) {
      model.init_sha256 = task.parents.size() == 1 ? task.parents.front().sha256 : weights_sha256(model.init);
    }
  }

  // ---- comparisons

  // All together: none waits for another.
  bool grow_comparisons() {
    std::vector<PendingModel> pending;
    for (const ComparisonSettings& comparison : plan_.compare) add_comparison(comparison, pending);
    return training_.train("comparisons", std::move(pending));
  }

  void add_comparison(const ComparisonSettings& settings, std::vector<PendingModel>& pending) const {
    const std::string name = comparison_name(settings);
    const fs::path folder = paths_.comparison(name);
    Forest forest = open_forest(paths_.root);
    const auto [tasks, outgrown] = comparison_state(settings, forest, base_.model.context);
    if (outgrown) {
      log_info(settings.tokens > 0
                   ? fmt::format("{}: it is to have another number of tokens and is trained anew", name)
                   : fmt::format("{}: the forest has changed since; it is trained anew with the compute of all experts",
                                 name));
      remove_event_files(paths_, name);
      remove_whole(folder);
    }
    for (const ModelTask& task : tasks) {
      if (published_comparison(paths_, task)) continue;
      const bool from_seed = !task.parents.empty();
      pending.push_back({task, from_seed ? paths_.seed() : fs::path(), from_seed ? forest.seed->weights_sha256 : ""});
    }
  }

  // ---- evaluation

  // What the results depend on: settings, domains with their tokens, and every model's weights.
  Json evaluation_recipe(const Forest& forest) const {
    Json recipe;
    recipe["settings"] = settings_json(plan_.evaluate);
    for (const DomainReport& report : base_.domains) {
      recipe["domains"][report.name] = {to_word(find_domain(plan_, report.name).role), report.dev_sha256,
                                        report.test_sha256};
    }
    recipe["seed"] = forest.seed ? forest.seed->weights_sha256 : "";
    for (const ExpertInfo& expert : forest.experts) recipe["experts"][expert.name] = expert.weights_sha256;
    for (const PublishedComparison& comparison : published_comparisons(paths_)) {  // the plan may name fewer
      for (const ComparisonModel& model : comparison.models)
        recipe["comparisons"][model.name] = model.info.weights_sha256;
    }
    return recipe;
  }

  void evaluate() {
    Forest forest = open_forest(paths_.root);
    if (forest.experts.empty()) return remove_evaluation(paths_);
    const Json recipe = evaluation_recipe(forest);
    outcome_.evaluation = load_evaluation(paths_);
    if (outcome_.evaluation.is_object() && outcome_.evaluation.value("recipe", Json()) == recipe) {
      return ensure_evaluation_text(paths_, outcome_.evaluation);
    }
    outcome_.evaluation = evaluate_forest(forest, plan_.evaluate, evaluation_domains(plan_, paths_), {},
                                          {scoring_place(plan_), options_.quiet, neighbours_.score_folders()});
    outcome_.evaluation["recipe"] = recipe;
    outcome_.evaluated = true;
    write_evaluation(paths_, outcome_.evaluation);
  }

  const Plan& plan_;
  const GrowOptions& options_;
  ForestPaths paths_;
  Neighbours neighbours_;
  ForestBase base_;
  TrainingPlace place_;
  Training training_;
  GrowOutcome outcome_;
};

}  // namespace

GrowOutcome grow(const Plan& plan, const GrowOptions& options) {
  share_of(plan.launcher, plan.training.precision, 1);  // GPUs that aren't there are told before any work
  check_growable(plan);
  require_texts(plan);
  return Grower(plan, options).run();
}

}  // namespace btm
