#include "btm/mixture/generate.h"

#include <algorithm>
#include <memory>

#include "btm/core/error.h"
#include "btm/core/interrupt.h"
#include "btm/mixture/text_stream.h"

namespace btm {

void check(const GenerateSettings& settings) {
  if (settings.tokens < 1) throw input_error("tokens is {}, but must be at least 1", settings.tokens);
  const bool ends_at_once = std::ranges::find(settings.stop, "") != settings.stop.end();
  if (ends_at_once) throw input_error("stop: an empty text is everywhere; leave it out");
  check(settings.sampler);
}

std::vector<TokenId> encode_prompt(const Ensemble& ensemble, const Tokenizer& tokenizer, const std::string& prompt) {
  if (prompt.empty()) throw input_error("the prompt is empty; give some text to go on from");
  std::vector<TokenId> tokens = tokenizer.encode(prompt);
  if (tokens.empty()) throw input_error("the tokenizer has no token for anything in the prompt; give other text");
  if (tokens.size() > static_cast<std::size_t>(ensemble.context())) {
    throw input_error("the prompt has {} tokens, but the model sees {} at once; shorten it", tokens.size(),
                      ensemble.context());
  }
  check_tokens(tokens, ensemble.vocab_size(), "the prompt");
  return tokens;
}

namespace {

SamplerSettings with_seed(SamplerSettings settings, std::size_t index) {
  settings.random_seed += static_cast<std::int64_t>(index);
  return settings;
}

// One prompt on its way.
class Course {
 public:
  Course(Ensemble& ensemble, int sequence, const Tokenizer& tokenizer, const GenerateSettings& settings,
         std::size_t index, Generation& result, const EmitText& emit)
      : ensemble_(ensemble),
        sequence_(sequence),
        tokenizer_(tokenizer),
        settings_(settings),
        index_(index),
        result_(result),
        sampler_(with_seed(settings.sampler, index)),
        history_(result.prompt),
        weights_(ensemble.experts()),
        stream_(settings.stop, [this, index, &emit](std::string_view text) {
          result_.text += text;
          emit(index, text, result_.tokens.empty() ? 0 : result_.tokens.back().expert);
        }) {
    ensemble_.begin(sequence_, history_);
  }

  int sequence() const { return sequence_; }
  std::size_t index() const { return index_; }
  TokenId last() const { return history_.back(); }

  // Draws the next token; false when the text has ended.
  bool draw() {
    TokenId token = sampler_.next(ensemble_.scores(sequence_), history_);
    ensemble_.weights(sequence_, weights_);
    if (token == tokenizer_.end_of_text() ||
        std::ranges::find(settings_.end_tokens, token) != settings_.end_tokens.end())
      return end("end_of_text");
    auto best = std::max_element(weights_.begin(), weights_.end());
    history_.push_back(token);
    result_.tokens.push_back({token, static_cast<int>(best - weights_.begin()), *best});
    // A vocabulary padded to a round size has ids that stand for no text.
    bool has_text = token < tokenizer_.vocab_size();
    const bool stops = stream_.add(has_text ? tokenizer_.decode(std::span(&token, 1)) : "");
    if (!stops && static_cast<std::int64_t>(result_.tokens.size()) < settings_.tokens) return true;
    ensemble_.observe(sequence_, token);
    ensemble_.weights(sequence_, weights_);
    return end(stops ? "stop" : "tokens");
  }

  // Makes room for the last token by reading the later half again, the token with it; false if there is room.
  bool make_room() {
    if (ensemble_.length(sequence_) < ensemble_.context()) return false;
    auto kept = static_cast<std::size_t>(std::max(1, ensemble_.context() / 2));
    ensemble_.reread(sequence_, std::span(history_).last(kept));
    return true;
  }

 private:
  bool end(const std::string& reason) {
    result_.reason = reason;
    result_.posterior = weights_;
    stream_.finish();
    return false;
  }

  Ensemble& ensemble_;
  int sequence_;
  const Tokenizer& tokenizer_;
  const GenerateSettings& settings_;
  std::size_t index_;
  Generation& result_;
  Sampler sampler_;
  std::vector<TokenId> history_;
  std::vector<double> weights_;  // [experts], before the newest token; at the end after it
  TextStream stream_;
};

}  // namespace

std::vector<Generation> generate(Ensemble& ensemble, const Tokenizer& tokenizer,
                                 const std::vector<std::string>& prompts, const GenerateSettings& settings,
                                 const EmitText& emit, const TakeGeneration& done) {
  check(settings);
  std::vector<Generation> results(prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    results[i].prompt = encode_prompt(ensemble, tokenizer, prompts[i]);
  }
  std::vector<std::unique_ptr<Course>> courses;  // under way
  std::vector<int> free;                         // sequences of the ensemble
  for (int i = ensemble.sequences() - 1; i >= 0; --i) free.push_back(i);
  for (std::size_t next = 0; next < prompts.size() || !courses.empty();) {
    if (interrupted()) throw Error(Cause::interrupted, "interrupted before all text was generated");
    for (; next < prompts.size() && !free.empty(); ++next) {
      courses.push_back(
          std::make_unique<Course>(ensemble, free.back(), tokenizer, settings, next, results[next], emit));
      free.pop_back();
    }
    std::erase_if(courses, [&](const std::unique_ptr<Course>& course) {
      if (course->draw()) return false;
      if (done) done(course->index(), results[course->index()]);
      free.push_back(course->sequence());
      return true;
    });
    std::vector<int> sequences;
    std::vector<TokenId> tokens;
    for (const auto& course : courses) {
      if (course->make_room()) continue;
      sequences.push_back(course->sequence());
      tokens.push_back(course->last());
    }
    if (!sequences.empty()) ensemble.step(sequences, tokens);
  }
  return results;
}

}  // namespace btm
