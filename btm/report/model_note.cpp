#include "btm/report/model_note.h"

#include <array>
#include <string_view>
#include <utility>

namespace btm {

std::string model_note(const std::string& model) {
  constexpr auto kNotes = std::to_array<std::pair<std::string_view, const char*>>({
      {"seed", "the model that all experts were branched from"},
      {"dense", "one model trained on all domains with the forest's compute"},
      {"dense_from_random", "the same without a seed: random weights, all of the compute"},
      {"demix", "one model with a feed-forward network per domain, mixed as the ensemble is"},
      {"demix_from_random", "the same without a seed: random weights, all of the compute"},
      {"random_split", "as many experts on randomly dealt text, mixed as the ensemble is"},
      {"random_init", "experts without a seed, mixed as the ensemble is"},
      {"ensemble", "all experts, weights fitted on the domain's dev sample"},
      {"ensemble_cached", "all experts, exact Bayes with a cached prior (the paper's)"},
      {"ensemble_updating", "all experts, the prior carried on along the test text (the paper's)"},
      {"ensemble_dropping", "experts whose weight stays small are not run any more"},
      {"ensemble_and_seed", "all experts with the seed as one more"},
      {"ensemble_and_average", "all experts with the domain's average as one more"},
      {"average_probabilities", "all experts, fixed equal weights of their probabilities"},
      {"product_of_experts", "the normalised geometric mean of all experts"},
      {"average_uniform", "one LM: parameters averaged with equal weights"},
      {"average_argmax", "one LM per domain: its likeliest expert"},
      {"average_posterior", "one LM per domain: parameters averaged by the cached prior (the paper's)"},
      {"average_em", "one LM per domain: parameters averaged by maximum likelihood mixture weights"},
      {"average_fitted", "one LM per domain: parameters averaged with weights that minimise its own loss"},
      {"average_greedy", "one LM per domain: greedy soup of parameters"},
      {"average_interpolated", "one LM per domain: between the seed and the em average"},
      {"best_single", "the expert that is best on all train domains"},
      {"oracle", "the best expert for each domain, by dev loss"},
  });
  for (const auto& [name, note] : kNotes) {
    if (name == model) return note;
  }
  if (!model.starts_with("top_")) return "";
  return model.ends_with("_by_token") ? "only the experts of largest weight at each token count"
                                      : "only the experts of largest prior are run";
}

}  // namespace btm
