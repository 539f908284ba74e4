#include "btm/mixture/evaluate_settings.h"

#include "btm/core/error.h"
#include "btm/mixture/form.h"

namespace btm {

void check_evaluation(const EvaluateSettings& settings) {
  for (const std::string& mixture : settings.mixtures) parse_form(mixture, settings.weights);
  if (settings.tokens_per_domain < 1)
    throw input_error("tokens_per_domain is {}, but must be at least 1", settings.tokens_per_domain);
  if (settings.dev_sequences < 1)
    throw input_error("dev_sequences is {}, but must be at least 1", settings.dev_sequences);
  if (settings.average_budget < 1)
    throw input_error("average_budget is {}, but must be at least 1", settings.average_budget);
  check_forgetting(settings.weights.forgetting.value_or(1));
}

}  // namespace btm
