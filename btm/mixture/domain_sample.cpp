#include "btm/mixture/domain_sample.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/core/format.h"
#include "btm/core/interrupt.h"
#include "btm/core/progress.h"
#include "btm/data/token_store.h"
#include "btm/mixture/evaluation_texts.h"
#include "btm/model/checkpoint.h"

namespace btm {

Text read_sample(const Forest& forest, const DomainSample& sample, int window) {
  std::vector<std::string> known;
  for (const EvaluationDomain& other : evaluation_domains(forest)) known.push_back(other.name);
  if (std::find(known.begin(), known.end(), sample.domain) == known.end()) {
    const std::string there = known.empty() ? "it has no tokens of any; btm grow makes them"
                                            : fmt::format("it has {}", fmt::join(known, ", "));
    throw input_error("{}: no domain of {}{}", sample.domain, forest.paths.root.string(),
                      did_you_mean(nearest_word(sample.domain, known), there));
  }
  TokenStore store(forest.paths.tokens(sample.domain) / sample.split);
  std::int64_t wanted = std::int64_t{sample.sequences} * window + 1, there = std::min(store.tokens(), wanted);
  if (there < 2) throw input_error("domain {}: its {} text has {} tokens", sample.domain, sample.split, there);
  std::vector<TokenId> tokens(static_cast<std::size_t>(there));
  store.copy_stream(0, tokens);
  return make_text(sample.domain + " (" + sample.split + ")", std::move(tokens));
}

Scores score_sample(const Forest& forest, std::span<const Member> members, const DomainSample& sample,
                    const ScoringPlace& place, bool quiet) {
  int window = load_config(members.front().sources.front().folder).context;
  Text text = read_sample(forest, sample, window);
  ScoreStore store(forest.paths.scores(), window, place);
  Scores scores{{}, text.targets(), window, {}};
  Progress progress("scoring", static_cast<double>(members.size()), quiet);
  for (const Member& member : members) {
    throw_if_interrupted();
    progress.update(static_cast<double>(scores.count()), member.name + " on " + text.name);
    std::optional<StoredScores> stored = store.find(member, text);
    if (!stored) {
      const Model model = load_member(member);
      stored = store.score(member, *store.scorer(member, model), text);
    }
    scores.experts.push_back(member.name);
    scores.log_probs.insert(scores.log_probs.end(), stored->log_probs.begin(), stored->log_probs.end());
  }
  progress.finish();
  return scores;
}

MixtureWeights weights_for(const Forest& forest, std::span<const Member> members, const PriorSettings& settings,
                           const DomainSample& sample, const ScoringPlace& place, bool quiet) {
  if (members.empty()) throw input_error("{} has no experts yet", forest.paths.root.string());
  if (!sample.domain.empty()) return choose_weights(settings, score_sample(forest, members, sample, place, quiet));
  if (settings.posterior == PriorKind::cached || settings.posterior == PriorKind::fitted) {
    throw input_error("a {} prior is made from a domain's dev sample: name the domain with --domain",
                      to_word(settings.posterior));
  }
  Scores nothing;
  for (const Member& member : members) nothing.experts.push_back(member.name);
  return choose_weights(settings, nothing);
}

}  // namespace btm
