#include "btm/mixture/evaluate_settings.h"

#include "btm/core/error.h"
#include "btm/mixture/form.h"

namespace btm {

void check_evaluation(const EvaluateSettings& settings, const std::string& where) {
  for (const std::string& mixture : settings.mixtures) parse_form(mixture, settings.weights);
  const auto at_least_1 = [&where](const char* key, auto value) {
    if (value < 1) throw input_error("{}{} is {}, but must be at least 1", where, key, value);
  };
  at_least_1("tokens_per_domain", settings.tokens_per_domain);
  at_least_1("dev_sequences", settings.dev_sequences);
  at_least_1("average_budget", settings.average_budget);
  check_forgetting(settings.weights.forgetting.value_or(1));
}

}  // namespace btm
