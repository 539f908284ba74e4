#include "btm/mixture/text_posterior.h"

#include "btm/core/error.h"
#include "btm/core/interrupt.h"
#include "btm/core/progress.h"
#include "btm/model/checkpoint.h"

namespace btm {

namespace {

// The text behind an end-of-text, so that its first token is scored, too.
std::vector<TokenId> encode(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<TokenId> tokens;
  if (tokenizer.end_of_text() >= 0) tokens.push_back(tokenizer.end_of_text());
  tokenizer.encode(text, tokens);
  if (tokens.size() < 2) throw input_error("the text is too short: it has no token to score");
  return tokens;
}

}  // namespace

TextPosterior text_posterior(const Forest& forest, const std::vector<Member>& members, const Tokenizer& tokenizer,
                             const std::string& text, const TextPosteriorSettings& settings) {
  TextPosterior result;
  result.weights = weights_for(forest, members, settings.prior, settings.sample, settings.place, settings.quiet);
  int window = load_config(members.front().sources.front().folder).context;
  std::vector<TokenId> tokens = encode(tokenizer, text);
  result.tokens.assign(tokens.begin() + 1, tokens.end());
  for (TokenId token : result.tokens) result.bytes += tokenizer.byte_length(token);
  result.scores = {{}, static_cast<std::int64_t>(result.tokens.size()), window, {}};
  Progress progress("scoring", static_cast<double>(members.size()), settings.quiet);
  for (const Member& expert : members) {
    throw_if_interrupted("interrupted");
    progress.update(static_cast<double>(result.scores.count()), expert.name);
    const Model model = load_member(expert);
    const auto log_probs = score_text(*scorer_of(model, expert.name, window, settings.place), expert.name, tokens);
    result.scores.log_probs.insert(result.scores.log_probs.end(), log_probs.begin(), log_probs.end());
    result.scores.experts.push_back(expert.name);
  }
  progress.finish();
  if (!result.weights.updating) result.scores.window = static_cast<int>(result.scores.tokens);
  result.course = posterior_course(result.scores, result.weights);
  result.posterior.assign(result.course.end() - static_cast<std::ptrdiff_t>(result.scores.count()),
                          result.course.end());
  result.share = mixture_shares(result.scores);
  for (std::size_t j = 0; j < result.scores.count(); ++j) result.mean_losses.push_back(mean_loss(result.scores.of(j)));
  return result;
}

}  // namespace btm
