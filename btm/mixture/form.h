// The forms in which a forest is evaluated, by the names that plans and results tables use.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "btm/mixture/average_weights.h"
#include "btm/mixture/prior.h"

namespace btm {

enum class FormKind {
  mixture,  // the ensemble of all experts, or of some
  product,  // of experts: their geometric mean, normalised
  average,  // one LM for each domain out of the experts' parameters
};

// Who speaks in a mixture beside the experts, for text of no domain.
enum class Generalist {
  none,
  seed,
  average,  // the domain's em average of the experts
};

struct Form {
  FormKind kind = FormKind::mixture;
  PriorSettings weights;                     // mixture
  std::optional<double> evidence;            // mixture: power of the likelihoods in place of the settings' own
  int top_k = 0;                             // mixture: only the k experts of largest prior are run; 0: all
  int by_token = 0;                          // mixture: only the k largest weights at each token count; 0: all
  double drop_below = 0;                     // mixture: see MixtureWeights
  Generalist generalist = Generalist::none;  // mixture
  AverageKind average = AverageKind::uniform;
};

// Weight below which `ensemble_dropping` drops experts.
inline constexpr double kDropBelow = 0.01;

// `weights` are those of the forms that the settings govern. Throws Error(input) for a name that is no form, naming the
// nearest.
Form parse_form(const std::string& name, const PriorSettings& weights);

}  // namespace btm
