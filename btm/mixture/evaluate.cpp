#include "btm/mixture/evaluate.h"

#include <algorithm>
#include <set>

#include "btm/core/error.h"
#include "btm/core/format.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/core/progress.h"
#include "btm/data/tokenizer.h"
#include "btm/mixture/average_weights.h"
#include "btm/mixture/comparison_members.h"
#include "btm/mixture/evaluation_rows.h"
#include "btm/mixture/form.h"
#include "btm/mixture/posterior.h"
#include "btm/model/checkpoint.h"

namespace btm {

namespace {

// One model to score, and the texts to score it on.
struct ScoringTask {
  const Member* member;
  std::vector<const Text*> texts;
};

// Loads one model after the other and scores what the store lacks.
void score_missing(const ScoreStore& store, std::vector<ScoringTask> tasks, bool quiet) {
  double total = 0, done = 0;
  for (ScoringTask& task : tasks) {
    std::erase_if(task.texts, [&](const Text* text) { return store.has(*task.member, *text); });
    for (const Text* text : task.texts) total += static_cast<double>(text->targets());
  }
  if (total == 0) return;
  Progress progress("scoring", total, quiet);
  for (const auto& [member, texts] : tasks) {
    if (texts.empty()) continue;
    const Model model = load_member(*member);
    const auto scorer = store.scorer(*member, model);
    for (const Text* text : texts) {
      throw_if_interrupted();
      if (store.has(*member, *text)) continue;  // an average that another domain has, too
      progress.update(done, member->name + " on " + text->name);
      store.score(*member, *scorer, *text);
      done += static_cast<double>(text->targets());
    }
  }
  progress.finish();
}

class Table {
 public:
  Table(const Forest& forest, const EvaluateSettings& settings, Evaluation evaluation, bool quiet)
      : forest_(forest),
        settings_(settings),
        evaluation_(std::move(evaluation)),
        seed_(seed_member(forest)),
        comparisons_(find_comparisons(forest)),
        quiet_(quiet),
        forest_training_(training_of(forest)) {}

  Json build() {
    score_models();
    for (const DomainTexts& texts : evaluation_.texts) {
      Scores dev = dev_scores(evaluation_, texts);
      auto& losses = dev_losses_.emplace_back();
      for (std::size_t j = 0; j < evaluation_.experts.size(); ++j) losses.push_back(mean_loss(dev.of(j)));
    }
    add_models_beside();
    std::set<std::string> seen;
    for (const std::string& mixture : settings_.mixtures) {
      throw_if_interrupted();
      if (seen.insert(mixture).second) add_mixture(mixture);
    }
    add_single_experts();
    return {{"domains", domains()}, {"posteriors", posteriors()}, {"rows", rows_}};
  }

 private:
  void score_models() {
    std::vector<ScoringTask> tasks;
    auto add = [&](const Member& member, bool dev) {
      ScoringTask& task = tasks.emplace_back(ScoringTask{&member, {}});
      for (const DomainTexts& texts : evaluation_.texts) {
        if (dev) task.texts.push_back(&texts.dev);
        task.texts.push_back(&texts.test);
      }
    };
    for (const Member& expert : evaluation_.experts) add(expert, true);
    if (seed_) add(*seed_, true);
    for (const Comparison& comparison : comparisons_) {
      for (const Member& member : comparison.members) add(member, comparison.mixed());
    }
    score_missing(*evaluation_.store, std::move(tasks), quiet_);
  }

  // mixture_shares() of the experts' dev scores of a text, computed once. Several threads may ask at once, for
  // different texts.
  const std::vector<double>& shares(std::size_t text) {
    std::vector<double>& own = dev_shares_[text];
    if (own.empty()) own = mixture_shares(dev_scores(evaluation_, evaluation_.texts[text]));
    return own;
  }

  void add(const Row& row, const Json& training) { rows_.push_back(row_json(evaluation_, row, training)); }

  void add_models_beside() {
    auto always = [](const Member& member) { return [&member](std::size_t) -> const Member& { return member; }; };
    if (seed_) add(member_row(evaluation_, kSeedName, always(*seed_)), training_of_seed(forest_));
    for (const Comparison& comparison : comparisons_) {
      const Json training = training_of(comparison, forest_);
      if (comparison.mixed()) {
        Row row =
            mixture_row(evaluation_, comparison.members, comparison.name, parse_form("ensemble", settings_.weights));
        row.models_loaded = models_loaded(comparison);
        add(row, training);
      } else {
        add(member_row(evaluation_, comparison.name, always(comparison.members.front())), training);
      }
    }
  }

  void add_mixture(const std::string& mixture) {
    Form form = parse_form(mixture, settings_.weights);
    const int experts = static_cast<int>(evaluation_.experts.size());
    if (std::max(form.top_k, form.by_token) >= experts) {
      log_detail(fmt::format("{} left out: with {} experts it is the ensemble", mixture, experts));
    } else if (form.kind == FormKind::average) {
      add_averages(mixture, form.average);
    } else if (form.kind == FormKind::product) {
      add(product_row(evaluation_, mixture), forest_training_);
    } else {
      const std::vector<Member> beside = generalists(form);
      std::function<std::vector<double>(std::size_t)> known;  // of the experts alone
      if (beside.empty()) known = [this](std::size_t i) { return shares(i); };
      add(mixture_row(evaluation_, evaluation_.experts, mixture, form, beside, known), forest_training_);
    }
  }

  // The member beside the experts for each of the texts, scored on its dev and test text.
  std::vector<Member> generalists(const Form& form) {
    std::vector<Member> members;
    if (form.generalist == Generalist::none) return members;
    if (form.generalist == Generalist::seed && !seed_) throw input_error("the forest has no seed to mix in");
    for (std::size_t i = 0; i < evaluation_.texts.size(); ++i) {
      members.push_back(form.generalist == Generalist::seed
                            ? *seed_
                            : weighted_average("em average", evaluation_.experts, {}, {shares(i)}));
    }
    std::vector<ScoringTask> tasks;
    for (std::size_t i = 0; i < members.size(); ++i) {
      tasks.push_back({&members[i], {&evaluation_.texts[i].dev, &evaluation_.texts[i].test}});
    }
    score_missing(*evaluation_.store, std::move(tasks), quiet_);
    return members;
  }

  // One plain LM per domain: the experts' average with the domain's weights.
  void add_averages(const std::string& name, AverageKind kind) {
    const auto& experts = evaluation_.experts;
    std::vector<Member> averages;
    std::vector<Json> details;
    Progress progress("weights of " + name, static_cast<double>(evaluation_.texts.size()), quiet_);
    for (std::size_t i = 0; i < evaluation_.texts.size(); ++i) {
      const DomainTexts& texts = evaluation_.texts[i];
      progress.update(static_cast<double>(i), texts.name);
      AverageWeights weights =
          average_weights(kind, experts, seed_, texts.dev, dev_scores(evaluation_, texts),
                          {settings_.average_budget, evaluation_.place}, [&] { return shares(i); });
      averages.push_back(weighted_average(name, experts, seed_, weights));
      Json shares = Json::object();
      for (const Member& expert : experts) shares[expert.name] = 0.0;
      for (const WeightedFolder& source : averages.back().sources)
        shares[source.name] = source.weight;  // as it is used
      details.push_back({{"weights", shares}});
      if (weights.evaluations > 0) details.back()["models_tried"] = weights.evaluations;
    }
    progress.finish();
    std::vector<ScoringTask> tasks;
    for (std::size_t i = 0; i < averages.size(); ++i) {
      bool same = i > 0 && averages[i].identity == averages[i - 1].identity;
      if (!same) tasks.push_back({&averages[i], {}});
      tasks.back().texts.push_back(&evaluation_.texts[i].test);
    }
    score_missing(*evaluation_.store, std::move(tasks), quiet_);
    Row row = member_row(evaluation_, name, [&](std::size_t i) -> const Member& { return averages[i]; });
    for (std::size_t i = 0; i < details.size(); ++i) row.domains[i].detail = details[i];
    add(row, forest_training_);
  }

  // The best single expert and the best one per domain, both by dev loss.
  void add_single_experts() {
    std::vector<double> sums(evaluation_.experts.size(), 0.0);
    bool any_train = std::any_of(evaluation_.texts.begin(), evaluation_.texts.end(),
                                 [](const DomainTexts& texts) { return texts.role == "train"; });
    for (std::size_t i = 0; i < evaluation_.texts.size(); ++i) {
      if (any_train && evaluation_.texts[i].role != "train") continue;
      for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += dev_losses_[i][j];
    }
    auto least = [this](const std::vector<double>& losses) -> const Member& {
      return evaluation_
          .experts[static_cast<std::size_t>(std::min_element(losses.begin(), losses.end()) - losses.begin())];
    };
    add(member_row(evaluation_, "best_single", [&](std::size_t) -> const Member& { return least(sums); }),
        forest_training_);
    add(member_row(evaluation_, "oracle", [&](std::size_t i) -> const Member& { return least(dev_losses_[i]); }),
        forest_training_);
  }

  Json domains() const {
    Json json = Json::object();
    for (const DomainTexts& texts : evaluation_.texts) {
      json[texts.name] = {{"role", texts.role}, {"tokens", texts.test.targets()}, {"bytes", texts.test_bytes}};
    }
    return json;
  }

  // Of the experts for each domain's dev sample.
  Json posteriors() const {
    Json json = Json::object();
    for (const DomainTexts& texts : evaluation_.texts) {
      const std::vector<double> shares = mean_posterior(dev_scores(evaluation_, texts));
      for (std::size_t j = 0; j < shares.size(); ++j) json[texts.name][evaluation_.experts[j].name] = shares[j];
    }
    return json;
  }

  const Forest& forest_;
  const EvaluateSettings& settings_;
  Evaluation evaluation_;
  std::optional<Member> seed_;
  std::vector<Comparison> comparisons_;
  bool quiet_;
  Json forest_training_;
  std::vector<std::vector<double>> dev_losses_;                            // [texts][experts], nats per token
  std::vector<std::vector<double>> dev_shares_{evaluation_.texts.size()};  // [texts][experts], see shares()
  Json rows_ = Json::array();
};

}  // namespace

Json evaluate_forest(const Forest& forest, const EvaluateSettings& settings,
                     const std::vector<EvaluationDomain>& domains, const std::vector<EvaluationText>& texts,
                     const EvaluateOptions& options) {
  check_evaluation(settings, "");
  if (forest.experts.empty()) {
    throw input_error("{} has no experts yet; grow it first: btm grow forest.yaml", forest.paths.root.string());
  }
  Evaluation evaluation;
  evaluation.place = decided(options.place);
  evaluation.place.threads = std::max(1, options.place.threads);
  evaluation.experts = expert_members(forest);
  ModelConfig config = load_config(evaluation.experts.front().sources.front().folder);
  int window = config.context;
  evaluation.parameters = parameter_count(config);
  evaluation.texts = load_texts(forest.paths, Tokenizer::load(forest.paths.tokenizer()), settings, domains, texts,
                                window, evaluation.place.threads);
  if (evaluation.texts.empty()) {
    throw input_error("{} has no tokens to evaluate on; give a text: --text NAME=PATH", forest.paths.root.string());
  }
  ScoreStore store(forest.paths.scores(), window, options.place, options.known_scores);
  if (!store.writable()) {
    throw input_error("{}: can't be written to, where scores and results are kept; evaluate as its owner, or a copy",
                      forest.paths.results().string());
  }
  evaluation.store = &store;
  return Table(forest, settings, std::move(evaluation), options.quiet).build();
}

}  // namespace btm
