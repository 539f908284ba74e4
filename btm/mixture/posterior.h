// The domain posterior and the mixture that it weights (Li et al. 2022, section 4.3):
//   log w_j(t) = log prior_j + evidence x sum_{s<t} g^(t-1-s) log p_j(x_s | x_<s) - log Z      before token t
//   p(x_t | x_<t) = sum_j w_j(t) p_j(x_t | x_<t)
#pragma once

#include <cstdint>
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
  int by_token = 0;           // only the k experts of largest weight speak for a token; 0: all
  double drop_below = 0;      // an expert whose weight stays below this for kDropPatience tokens is not run any more
};

void check_forgetting(double forgetting);  // throws Error(input) if it is out of range

// Tokens in a row that an expert's weight has to stay below MixtureWeights::drop_below for.
inline constexpr int kDropPatience = 8;

// Weight of the newest posterior in the moving average that makes the prior: 0.3 in the paper (section 4.3) and in its
// authors' scorer (pandas' ewm with alpha = 0.3).
inline constexpr double kPriorStep = 0.3;

// The posterior along a text, token by token, in log space and double.
class Posterior {
 public:
  explicit Posterior(const MixtureWeights& weights);  // throws Error(input) for values out of range

  // log p(x_t | x_<t) of the mixture from the experts' own [experts] (those of dropped ones are not looked at); then
  // takes the token into the evidence.
  double observe(std::span<const float> log_probs);
  // w_j before the next token, [experts]; with by_token 0 for those that do not speak for it
  void weights(std::span<double> out) const;
  bool runs(std::size_t expert) const { return below_[expert] < kDropPatience; }  // not dropped in this window
  void restart();                                                                 // a new window: all run again

 private:
  void weigh();
  bool drop();
  MixtureWeights settings_;
  std::vector<double> log_prior_, evidence_;
  std::vector<double> exponents_;   // log w_j but for a constant, at most 0; -inf: dropped
  std::vector<double> speaking_;    // the same of those that speak for the next token, -inf for the others
  std::vector<std::size_t> order_;  // scratch
  std::vector<int> below_;          // tokens in a row below drop_below
};

// Log-probability of every token under the mixture, [tokens]; the posterior restarts at each window. `runs`, where
// wanted, gets the number of experts run for all tokens together.
std::vector<double> mix(const Scores& scores, const MixtureWeights& weights, std::int64_t* runs = nullptr);

// -sum log p over all tokens under the mixture, nats.
double mixture_loss(const Scores& scores, const MixtureWeights& weights);

// w_j before each token and, as the last row, after the text: [tokens + 1, experts].
std::vector<double> posterior_course(const Scores& scores, const MixtureWeights& weights);

void check_prior(std::span<const double> prior, std::size_t experts);  // throws Error(input)

}  // namespace btm
