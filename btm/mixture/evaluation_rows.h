// The rows of the results table, each a form of the forest (or a model beside it) on every domain.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "btm/core/settings.h"
#include "btm/mixture/evaluation_texts.h"
#include "btm/mixture/form.h"
#include "btm/mixture/member.h"
#include "btm/mixture/score_store.h"

namespace btm {

// All that rows are computed from. Scores of the experts on dev and test are in the store already.
struct Evaluation {
  const ScoreStore* store = nullptr;
  std::vector<Member> experts;
  std::vector<DomainTexts> texts;
  ScoringPlace place;           // its threads are those of all else, too
  std::int64_t parameters = 0;  // of one model
};

Scores dev_scores(const Evaluation& evaluation, const DomainTexts& texts);  // of the experts

struct DomainResult {
  double loss = 0;        // nats, all targets of the test text
  double seconds = 0;     // that the forward passes took
  Json detail;            // what was chosen for the domain: weights, expert
  std::int64_t runs = 0;  // of experts, for all targets together
};

struct Row {
  std::string model;
  Json settings = Json::object();
  double experts_per_token = 1;
  double models_loaded = 1;           // to use it on one domain
  std::vector<DomainResult> domains;  // as Evaluation::texts
};

// The experts, or others in their place, mixed with weights out of each domain's dev sample; with them, where there are
// any, the generalist of each of the texts. The scores of all on dev and test are in the store. known(i), where it is
// given: mixture_shares() of the dev scores of texts[i]; asked for by several threads at once, each for its texts.
Row mixture_row(const Evaluation& evaluation, std::span<const Member> experts, const std::string& name,
                const Form& form, std::span<const Member> generalists = {},
                const std::function<std::vector<double>(std::size_t)>& known = {});

// The product of all experts.
Row product_row(const Evaluation& evaluation, const std::string& name);

// One plain LM per domain. `choose(i)` is the model for texts[i]; its test scores are in the store.
Row member_row(const Evaluation& evaluation, const std::string& name,
               const std::function<const Member&(std::size_t)>& choose);

Json row_json(const Evaluation& evaluation, const Row& row, const Json& training);

}  // namespace btm
