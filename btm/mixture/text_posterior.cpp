#include "btm/mixture/text_posterior.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/format.h"
#include "btm/core/interrupt.h"
#include "btm/core/progress.h"
#include "btm/data/token_store.h"
#include "btm/mixture/evaluate.h"
#include "btm/model/checkpoint.h"

namespace btm {

namespace {

std::vector<TokenId> read_sample(const Forest& forest, const std::string& domain, int sequences, int window) {
  std::vector<std::string> known;
  for (const EvaluationDomain& other : evaluation_domains(forest)) known.push_back(other.name);
  if (std::find(known.begin(), known.end(), domain) == known.end()) {
    std::string near = nearest_word(domain, known);
    throw input_error("{}: no domain of {}{}", domain, forest.paths.root.string(),
                      near.empty() ? "" : fmt::format("; did you mean {}?", near));
  }
  TokenStore store(forest.paths.tokens(domain) / "dev");
  std::vector<TokenId> tokens(
      static_cast<std::size_t>(std::min(store.tokens(), static_cast<std::int64_t>(sequences) * window + 1)));
  store.copy_stream(0, tokens);
  return tokens;
}

// The text behind an end-of-text, so that its first token is scored, too.
std::vector<TokenId> encode(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<TokenId> tokens;
  if (tokenizer.end_of_text() >= 0) tokens.push_back(tokenizer.end_of_text());
  tokenizer.encode(text, tokens);
  if (tokens.size() < 2) throw input_error("the text is too short: it has no token to score");
  return tokens;
}

void check(const Forest& forest, const TextPosteriorSettings& settings) {
  if (forest.experts.empty()) throw input_error("{} has no experts yet", forest.paths.root.string());
  PriorKind kind = settings.prior.posterior;
  if (settings.domain.empty() && (kind == PriorKind::cached || kind == PriorKind::fitted)) {
    throw input_error("a {} prior is made from a domain's dev sample: name the domain with --domain",
                      kind == PriorKind::cached ? "cached" : "fitted");
  }
}

}  // namespace

TextPosterior text_posterior(const Forest& forest, const Tokenizer& tokenizer, const std::string& text,
                             const TextPosteriorSettings& settings) {
  check(forest, settings);
  int window = load_config(forest.paths.expert(forest.experts.front().name)).context;
  std::vector<TokenId> tokens = encode(tokenizer, text), sample;
  if (!settings.domain.empty()) sample = read_sample(forest, settings.domain, settings.dev_sequences, window);
  TextPosterior result;
  result.tokens.assign(tokens.begin() + 1, tokens.end());
  for (TokenId token : result.tokens) result.bytes += tokenizer.byte_length(token);
  result.scores = {{}, static_cast<std::int64_t>(result.tokens.size()), window, {}};
  Scores dev{{}, std::max<std::int64_t>(0, static_cast<std::int64_t>(sample.size()) - 1), window, {}};
  Progress progress("scoring", static_cast<double>(forest.experts.size()), settings.quiet);
  for (const ExpertInfo& expert : forest.experts) {
    throw_if_interrupted();
    progress.update(static_cast<double>(result.scores.count()), expert.name);
    Model model = load_model(forest.paths.expert(expert.name));
    auto add = [&](Scores& scores, const std::vector<TokenId>& stream) {
      auto log_probs = score_text(model, expert.name, stream, window, settings.threads);
      scores.log_probs.insert(scores.log_probs.end(), log_probs.begin(), log_probs.end());
    };
    add(result.scores, tokens);
    if (dev.tokens > 0) add(dev, sample);
    result.scores.experts.push_back(expert.name);
  }
  progress.finish();
  dev.experts = result.scores.experts;
  result.weights = choose_weights(settings.prior, dev);
  if (!result.weights.updating) result.scores.window = static_cast<int>(result.scores.tokens);
  result.course = posterior_course(result.scores, result.weights);
  result.posterior.assign(result.course.end() - static_cast<std::ptrdiff_t>(dev.count()), result.course.end());
  result.share = mixture_shares(result.scores);
  for (std::size_t j = 0; j < dev.count(); ++j) result.mean_losses.push_back(mean_loss(result.scores.of(j)));
  return result;
}

}  // namespace btm
