// The domain posterior and the mixture that it weights (Li et al. 2022, section 4.3; docs/architecture.md, formulas):
//   log w_j(t) = log prior_j + evidence x sum_{s<t} g^(t-1-s) log p_j(x_s | x_<s) - log Z      before token t
//   p(x_t | x_<t) = sum_j w_j(t) p_j(x_t | x_<t)
#pragma once

#include <span>
#include <vector>

#include "btm/mixture/scores.h"

namespace btm {

// How a mixture weighs its experts.
struct MixtureWeights {
  std::vector<double> prior;  // [experts], not negative; sums to 1
  double forgetting = 1;      // g in [0, 1]: 1 is exact Bayes over the window, 0 looks at the last token only
  double evidence = 1;        // power of the likelihoods: 1 is Bayes, less trusts them less, 0 leaves the prior alone
  bool updating = false;      // at the end of each window the prior moves towards the posterior, see kPriorStep
};

// Weight of the newest posterior in the moving average that makes the prior: 0.3 in the paper (section 4.3) and in its
// authors' scorer (pandas' ewm with alpha = 0.3).
inline constexpr double kPriorStep = 0.3;

// The posterior along a text, token by token, in log space and double.
class Posterior {
 public:
  explicit Posterior(const MixtureWeights& weights);  // throws Error(input) for values out of range

  // log p(x_t | x_<t) of the mixture from the experts' own [experts]; then takes the token into the evidence.
  double observe(std::span<const float> log_probs);
  void weights(std::span<double> out) const;  // w_j before the next token, [experts]
  void restart();                             // a new window

 private:
  void update_exponents();
  MixtureWeights settings_;
  std::vector<double> log_prior_, evidence_, exponents_;
};

// Log-probability of every token under the mixture, [tokens]; the posterior restarts at each window.
std::vector<double> mix(const Scores& scores, const MixtureWeights& weights);

// -sum log p over all tokens under the mixture, nats.
double mixture_loss(const Scores& scores, const MixtureWeights& weights);

// w_j before each token and, as the last row, after the text: [tokens + 1, experts].
std::vector<double> posterior_course(const Scores& scores, const MixtureWeights& weights);

void check_prior(std::span<const double> prior, std::size_t experts);  // throws Error(input)

}  // namespace btm
