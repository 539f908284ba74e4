#include "cli/generate_choice.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/format.h"
#include "btm/forest/forest.h"
#include "btm/mixture/comparison_members.h"
#include "btm/mixture/domain_sample.h"
#include "btm/mixture/text_posterior.h"
#include "btm/plan/scoring_place.h"
#include "cli/named_weight.h"
#include "cli/nearest_model.h"

namespace btm {
namespace {

// Every single model of a forest by name: the seed, the experts, the comparisons.
std::vector<Member> models_of(const Forest& forest) {
  std::vector<Member> models;
  if (auto seed = seed_member(forest)) models.push_back(*seed);
  std::ranges::copy(expert_members(forest), std::back_inserter(models));
  for (Comparison& comparison : find_comparisons(forest))
    std::ranges::move(comparison.members, std::back_inserter(models));
  return models;
}

const Member& find_model(const std::vector<Member>& models, const std::string& name, const Forest& forest) {
  std::vector<std::string> known;
  for (const Member& model : models) {
    if (model.name == name) return model;
    known.push_back(model.name);
  }
  throw input_error("{}: no expert of {}{}", name, forest.paths.root.string(),
                    did_you_mean(nearest_model(name, known), fmt::format("there are {}", fmt::join(known, ", "))));
}

// "all", or "python,rust=0.3": experts with weights, 1 where none is given.
Member parse_average(const std::string& text, const std::vector<Member>& models, const Forest& forest) {
  std::vector<Member> members;
  std::vector<double> weights;
  if (text == "all") {
    for (const ExpertInfo& expert : forest.experts) members.push_back(find_model(models, expert.name, forest));
    return average_member("average", members, std::vector(members.size(), 1.0));
  }
  for (const std::string& part : split_list(text)) {
    const NamedWeight named = parse_named_weight(part);
    members.push_back(find_model(models, named.name, forest));
    weights.push_back(named.weight.value_or(1));
  }
  return average_member("average", members, weights);
}

MixtureWeights weights_of(const Forest& forest, const std::vector<Member>& members,
                          const GenerateChoiceOptions& options) {
  return weights_for(forest, members, options.mixture.prior(), options.mixture.sample(forest),
                     scoring_place(forest, options.threads), options.quiet);
}

// The k experts of largest prior, weighed anew among themselves as in the results table; a uniform one says nothing, so
// there the posterior after the prompts chooses.
void keep_top_experts(GenerateChoice& choice, const Forest& forest, const GenerateChoiceOptions& options,
                      const std::vector<std::string>& prompts) {
  std::vector<double> chance = choice.weights.prior;
  if (std::ranges::all_of(chance, [&](double p) { return p == chance.front(); })) {
    TextPosteriorSettings settings;
    settings.place = scoring_place(forest, options.threads);
    settings.quiet = true;
    std::string text = fmt::format("{}", fmt::join(prompts, "\n"));
    chance = text_posterior(forest, choice.members, choice.tokenizer, text, settings).posterior;
  }
  std::vector<Member> members;
  for (int j : largest(chance, options.top_experts)) members.push_back(choice.members[static_cast<std::size_t>(j)]);
  choice.members = std::move(members);
  choice.weights = weights_of(forest, choice.members, options);
}

GenerateChoice choose_ensemble(const Forest& forest, const GenerateChoiceOptions& options,
                               const std::vector<std::string>& prompts) {
  Tokenizer tokenizer = Tokenizer::load(forest.paths.tokenizer());
  GenerateChoice choice{"ensemble", expert_members(forest), {}, std::move(tokenizer)};
  if (options.with_seed) {
    if (!forest.seed) throw input_error("{} has no seed", forest.paths.root.string());
    choice.members.push_back(*seed_member(forest));
  }
  if (options.mixture.prior().posterior == PriorKind::updating) {
    throw input_error(
        "--prior updating is carried on along a text that is there: it is for btm posterior and evaluate");
  }
  choice.weights = weights_of(forest, choice.members, options);
  if (options.top_experts < 0) throw input_error("--top-experts is {}, but can't be negative", options.top_experts);
  if (options.top_experts > 0) keep_top_experts(choice, forest, options, prompts);
  choice.weights.drop_below = options.drop_below;
  return choice;
}

GenerateChoice alone(const Member& member, const fs::path& tokenizer_folder) {
  // Before the rest: g++ 12 destroys members in nested braces twice when one after them throws.
  Tokenizer tokenizer = Tokenizer::load(tokenizer_folder);
  return {member.name, {member}, {{1.0}}, std::move(tokenizer)};
}

}  // namespace

GenerateChoice choose(const GenerateChoiceOptions& options, const std::vector<std::string>& prompts) {
  fs::path folder = options.source;
  const bool one = !options.expert.empty() || !options.average.empty();
  const bool weighs =
      options.mixture.given() || options.with_seed || options.top_experts != 0 || options.drop_below != 0;
  if (fs::exists(folder / kConfigFile)) {
    if (one || weighs) {
      throw input_error(
          "{} is one model: what chooses or weighs experts (--expert, --average, --domain ...) is for a forest",
          folder.string());
    }
    return alone(single_member(folder.string(), folder, ""), folder);
  }
  Forest forest = open_forest(folder);
  if (!one) return choose_ensemble(forest, options, prompts);
  if (weighs) {
    throw input_error(
        "{} is one model: what weighs experts (--domain, --prior, --with-seed, --top-experts ...) is for the ensemble",
        options.expert.empty() ? "--average " + options.average : "--expert " + options.expert);
  }
  auto models = models_of(forest);
  Member member = options.average.empty() ? find_model(models, options.expert, forest)
                                          : parse_average(options.average, models, forest);
  return alone(member, forest.paths.tokenizer());
}

void GenerateChoiceOptions::add(Command& command) {
  command.add_option("SOURCE", source, "Folder of a forest, or of one model (Hugging Face layout)").required();
  Option chosen = command.add_option("--expert", expert, "One expert of the forest (or seed, dense) alone")
                      .type_name("NAME")
                      .not_empty();
  command.add_option("--average", average, "An average of experts: all, or NAME[=WEIGHT],...")
      .type_name("NAMES")
      .not_empty()
      .excludes(chosen);
  mixture.add(command, "uniform, ");
  command
      .add_option("--top-experts", top_experts,
                  "Run only the K experts of largest prior (without --domain: of largest posterior after the prompts)")
      .type_name("K");
  command
      .add_option("--drop-below", drop_below, "Stop running an expert once its weight has been below this for 8 tokens")
      .type_name("WEIGHT");
  command.add_flag("--with-seed", with_seed, "Add the seed to the ensemble: a generalist for text of no known domain");
}

}  // namespace btm
