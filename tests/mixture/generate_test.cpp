// Text of one model against transformers' generate(), of an ensemble against float64 Python
// (tests/oracle/generate_cases.py).
#include "btm/mixture/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/settings.h"
#include "btm/model/checkpoint.h"
#include "btm/model/decoder.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using ::testing::HasSubstr;

Member member(const std::string& name) {
  return single_member(name, test::oracle_folder() / name, name);
}

Json cases() {
  return Json::parse(read_file(test::oracle_folder() / "cases.json"));
}

Tokenizer tokenizer_of(const std::string& name) {
  return Tokenizer::load(test::oracle_folder() / name);
}

GenerateSettings greedy(std::int64_t tokens) {
  GenerateSettings settings;
  settings.tokens = tokens;
  settings.sampler.temperature = 0;
  return settings;
}

std::vector<TokenId> ids(const Generation& out) {
  std::vector<TokenId> result;
  for (const GeneratedToken& token : out.tokens) result.push_back(token.id);
  return result;
}

void ignore(std::size_t, std::string_view, int) {}

Generation generate_one(const std::string& name, const std::string& prompt, const GenerateSettings& settings,
                        const EmitText& emit = ignore) {
  Ensemble ensemble({member(name)}, {{1.0}}, {});
  return generate(ensemble, tokenizer_of(name), {prompt}, settings, emit).front();
}

TEST(Generate, GreedyOfOneModelEqualsTransformers) {
  const Json greedy_cases = cases()["greedy"];
  for (const auto& [name, prompts] : greedy_cases.items()) {
    int context = load_config(test::oracle_folder() / name).context;
    for (const Json& c : prompts) {
      std::size_t prompt = tokenizer_of(name).encode(c["prompt"].get<std::string>()).size();
      GenerateSettings settings = greedy(context - static_cast<std::int64_t>(prompt));
      settings.sampler.repetition_penalty = c["repetition_penalty"];
      std::string streamed;
      Generation out =
          generate_one(name, c["prompt"], settings, [&](std::size_t, std::string_view text, int) { streamed += text; });
      EXPECT_EQ(ids(out), c["tokens"].get<std::vector<TokenId>>()) << name << c["prompt"];
      EXPECT_EQ(out.text, c["text"].get<std::string>());
      EXPECT_EQ(out.text, streamed);
    }
  }
}

TEST(Generate, AutoKeepsTheFormatOfTheCheckpoint) {
  const std::string prompt = "nub";
  auto text = [&](const std::string& name, GenerationPrecision precision) {
    Ensemble ensemble({member(name)}, {{1.0}}, {.precision = precision});
    ensemble.begin(0, tokenizer_of(name).encode(prompt));
    auto scores = ensemble.scores(0);
    return std::vector<float>(scores.begin(), scores.end());
  };
  EXPECT_EQ(text("gpt2_bf16", GenerationPrecision::automatic), text("gpt2_bf16", GenerationPrecision::bf16));
  EXPECT_EQ(text("gpt2", GenerationPrecision::automatic), text("gpt2", GenerationPrecision::fp32));
  EXPECT_NE(text("gpt2", GenerationPrecision::automatic), text("gpt2", GenerationPrecision::bf16));
}

TEST(Generate, GoesOnPastTheContextFromItsLaterHalf) {
  Generation out = generate_one("gpt2", "nub", greedy(60));
  ASSERT_EQ(out.tokens.size(), 60u) << "ended by " << out.reason;
  // The first token after the context was full: that of the later half alone.
  std::vector<TokenId> all = out.prompt, generated = ids(out);
  all.insert(all.end(), generated.begin(), generated.end());
  Model model = load_model(test::oracle_folder() / "gpt2");
  auto context = static_cast<std::size_t>(model.config.context);
  std::vector<TokenId> half(all.begin() + static_cast<std::ptrdiff_t>(context + 1 - context / 2),
                            all.begin() + static_cast<std::ptrdiff_t>(context + 1));
  Decoder decoder(model);
  Sampler sampler(greedy(1).sampler);
  EXPECT_EQ(sampler.next(decoder.append(half), {}), all[context + 1]);
}

TEST(Generate, TakesAPromptThatFillsTheContext) {
  Model model = load_model(test::oracle_folder() / "gpt2");
  const auto context = static_cast<std::size_t>(model.config.context);
  const std::string prompt(context, '7');  // a token each: the tokenizer saw no digits
  const Generation out = generate_one("gpt2", prompt, greedy(2));
  ASSERT_EQ(out.prompt.size(), context);
  ASSERT_EQ(out.tokens.size(), 2u) << "ended by " << out.reason;
  Sampler sampler(greedy(1).sampler);
  EXPECT_EQ(sampler.next(Decoder(model).append(out.prompt), {}), ids(out)[0]);
  std::vector<TokenId> half(out.prompt.end() - static_cast<std::ptrdiff_t>(context / 2 - 1), out.prompt.end());
  half.push_back(ids(out)[0]);
  EXPECT_EQ(sampler.next(Decoder(model).append(half), {}), ids(out)[1]);
  EXPECT_THROW(generate_one("gpt2", prompt + "7", greedy(2)), Error);
}

TEST(Generate, StopsAtAStopString) {
  Generation whole = generate_one("llama", "nub", greedy(12));
  ASSERT_GT(whole.text.size(), 6u);
  GenerateSettings settings = greedy(12);
  settings.stop = {"if,"};
  Generation out = generate_one("llama", "nub", settings);
  ASSERT_NE(whole.text.find("if,"), std::string::npos);
  EXPECT_EQ(out.text, whole.text.substr(0, whole.text.find("if,")));
  EXPECT_EQ(out.reason, "stop");
}

TEST(Generate, StopsAtAnyOfTheModelsEndTokens) {
  const std::vector<TokenId> whole = ids(generate_one("llama", "nub", greedy(12)));
  GenerateSettings settings = greedy(12);
  settings.end_tokens = {whole[5], kNoToken};
  const Generation out = generate_one("llama", "nub", settings);
  const auto end = std::ranges::find(whole, whole[5]);
  EXPECT_EQ(ids(out), std::vector(whole.begin(), end));
  EXPECT_EQ(out.reason, "end_of_text");
}

TEST(Generate, IdsBeyondTheTokenizerStandForNoText) {
  test::TemporaryFolder folder;
  ModelConfig padded = load_config(test::oracle_folder() / "gpt2");
  padded.vocab_size *= 4;
  save_model(folder.path(), random_model(padded, 1), kNoToken);
  Ensemble ensemble({single_member("padded", folder.path(), "")}, {{1.0}}, {});
  Tokenizer tokenizer = tokenizer_of("gpt2");
  GenerateSettings settings;
  settings.tokens = 40;
  Generation out = generate(ensemble, tokenizer, {"nub"}, settings, ignore).front();
  auto tokens = ids(out);
  EXPECT_GT(*std::max_element(tokens.begin(), tokens.end()), tokenizer.vocab_size());
  std::erase_if(tokens, [&](TokenId id) { return id >= tokenizer.vocab_size(); });
  EXPECT_LE(out.text.size(), 3 * tokenizer.decode(tokens).size());  // U+FFFD has three bytes
}

TEST(Generate, RefusesPromptsThatCannotBe) {
  EXPECT_THROW(generate_one("gpt2", "", greedy(5)), Error);
  EXPECT_THROW(generate_one("gpt2", std::string(400, 'x'), greedy(5)), Error);
  EXPECT_THROW(generate_one("gpt2", "nub", greedy(0)), Error);
}

// As byte-level tokenizers have that were trained without the whole alphabet.
TEST(Generate, RefusesAPromptWithoutTokens) {
  const Tokenizer tokenizer = Tokenizer::parse(
      R"({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
          "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}})",
      "tokenizer.json");
  Ensemble ensemble({member("gpt2")}, {{1.0}}, {});
  EXPECT_EQ(encode_prompt(ensemble, tokenizer, "ca\u00e9b"), (std::vector<TokenId>{0, 1}));
  EXPECT_THROW(encode_prompt(ensemble, tokenizer, "\u00e9"), Error);
}

TEST(Generate, AllPromptsAreCheckedBeforeAnythingIsEmitted) {
  Ensemble ensemble({member("gpt2")}, {{1.0}}, {});
  const Tokenizer tokenizer = tokenizer_of("gpt2");
  EXPECT_EQ(encode_prompt(ensemble, tokenizer, "nub"), tokenizer.encode("nub"));
  std::string emitted;
  const auto emit = [&](std::size_t, std::string_view text, int) { emitted += text; };
  EXPECT_THROW(generate(ensemble, tokenizer, {"nub", ""}, greedy(5), emit), Error);
  EXPECT_EQ(emitted, "");
}

// ---- the ensemble

std::vector<Member> experts() {
  return {member("expert_0"), member("expert_1"), member("expert_2")};
}

MixtureWeights weights_of(const Json& run) {
  return {run["prior"].get<std::vector<double>>(), run["forgetting"], run["evidence"]};
}

TEST(EnsembleGeneration, GreedyTokensAndPosteriorEqualTheFormulas) {
  const Json prompts = cases()["ensemble"]["prompts"];
  for (const Json& c : prompts) {
    for (const Json& run : c["runs"]) {
      Ensemble ensemble(experts(), weights_of(run), {.threads = 2});
      Tokenizer tokenizer = tokenizer_of("expert_0");
      std::vector<TokenId> text = tokenizer.encode(c["prompt"].get<std::string>());
      ensemble.begin(0, text);
      std::vector<double> found(3);
      for (std::size_t i = 0; i < run["tokens"].size(); ++i) {
        ensemble.weights(0, found);
        for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(found[j], run["weights"][i][j].get<double>(), 1e-4) << i;
        auto scores = ensemble.scores(0);
        auto best = static_cast<TokenId>(std::max_element(scores.begin(), scores.end()) - scores.begin());
        ASSERT_EQ(best, run["tokens"][i].get<TokenId>()) << c["prompt"] << " token " << i;
        std::vector<int> sequence{0};
        if (i + 1 < run["tokens"].size()) ensemble.step(sequence, std::span(&best, 1));
      }
    }
  }
}

// The log-probabilities of the token after these.
std::vector<double> next_log_probs(const Model& model, std::span<const TokenId> tokens) {
  Decoder decoder(model);
  const std::span<const float> logits = decoder.append(tokens);
  std::vector<double> result(logits.begin(), logits.end());
  const double most = std::ranges::max(result);
  double sum = 0;
  for (const double logit : result) sum += std::exp(logit - most);
  for (double& logit : result) logit -= most + std::log(sum);
  return result;
}

std::vector<double> normalised_exp(std::vector<double> exponents) {
  const double most = std::ranges::max(exponents);
  double sum = 0;
  for (double& each : exponents) sum += each = std::exp(each - most);
  for (double& each : exponents) each /= sum;
  return exponents;
}

// Each token from the experts run anew on what they see: all that is there, and past the context what has come since
// the later half of it. The posterior goes on through that.
TEST(EnsembleGeneration, PastTheContextItIsWhatComputingEachTokenAnewGives) {
  const Json c = cases()["ensemble"]["prompts"][2];
  std::vector<Model> models;
  for (const Member& expert : experts()) models.push_back(load_member(expert));
  const auto context = static_cast<std::size_t>(models.front().config.context);
  for (const Json& run : c["runs"]) {
    const MixtureWeights weights = weights_of(run);
    Ensemble ensemble(experts(), weights, {});
    GenerateSettings settings;
    settings.tokens = 3 * static_cast<std::int64_t>(context);
    settings.sampler.top_k = 5;
    const Generation out =
        generate(ensemble, tokenizer_of("expert_0"), {c["prompt"].get<std::string>()}, settings, ignore).front();
    ASSERT_EQ(out.tokens.size(), 3 * context) << "ended by " << out.reason;
    std::vector<TokenId> all = out.prompt;
    for (const TokenId id : ids(out)) all.push_back(id);

    Sampler sampler(settings.sampler);
    std::vector<double> evidence(models.size());
    auto posterior = [&] {
      std::vector<double> exponents;
      for (std::size_t j = 0; j < evidence.size(); ++j)
        exponents.push_back(std::log(weights.prior[j]) + weights.evidence * evidence[j]);
      return normalised_exp(exponents);
    };
    std::size_t first = 0;  // that the experts see
    for (std::size_t i = 1; i < all.size(); ++i) {
      if (i - first > context) first = i - context / 2;
      std::vector<std::vector<double>> log_probs;
      for (const Model& model : models)
        log_probs.push_back(next_log_probs(model, std::span(all).subspan(first, i - first)));
      if (i >= out.prompt.size()) {
        const std::vector<double> now = posterior();
        std::vector<float> mixed;
        for (std::size_t token = 0; token < log_probs.front().size(); ++token) {
          double p = 0;
          for (std::size_t j = 0; j < models.size(); ++j) p += now[j] * std::exp(log_probs[j][token]);
          mixed.push_back(static_cast<float>(std::log(p)));
        }
        const GeneratedToken& found = out.tokens[i - out.prompt.size()];
        ASSERT_EQ(sampler.next(mixed, std::span(all).first(i)), found.id) << "token " << i;
        EXPECT_NEAR(found.weight, now[static_cast<std::size_t>(found.expert)], 1e-4) << "token " << i;
        EXPECT_NEAR(found.weight, std::ranges::max(now), 1e-4) << "token " << i;
      }
      for (std::size_t j = 0; j < models.size(); ++j)
        evidence[j] = weights.forgetting * evidence[j] + log_probs[j][static_cast<std::size_t>(all[i])];
    }
    const std::vector<double> after = posterior();
    for (std::size_t j = 0; j < after.size(); ++j) EXPECT_NEAR(out.posterior[j], after[j], 1e-4);
  }
}

TEST(EnsembleGeneration, PromptsOfABatchGrowAsIfAlone) {
  Json prompts = cases()["ensemble"]["prompts"];
  std::vector<std::string> texts;
  for (const Json& c : prompts) texts.push_back(c["prompt"]);
  texts.push_back(texts.front());
  GenerateSettings settings;
  settings.tokens = 50;  // past the context, too
  Tokenizer tokenizer = tokenizer_of("expert_0");
  Ensemble together(experts(), weights_of(prompts[0]["runs"][1]), {.sequences = 3, .threads = 2});
  std::vector<std::size_t> ended;
  auto batch = generate(together, tokenizer, texts, settings, ignore, [&](std::size_t i, const Generation& out) {
    EXPECT_FALSE(out.reason.empty());
    ended.push_back(i);
  });
  EXPECT_EQ(std::set<std::size_t>(ended.begin(), ended.end()).size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Ensemble alone(experts(), weights_of(prompts[0]["runs"][1]), {});
    GenerateSettings own = settings;
    own.sampler.random_seed += static_cast<std::int64_t>(i);
    Generation out = generate(alone, tokenizer, {texts[i]}, own, ignore).front();
    EXPECT_EQ(batch[i].text, out.text) << i;
    EXPECT_EQ(ids(batch[i]), ids(out)) << i;
  }
  EXPECT_NE(batch.front().text, batch.back().text);  // the same prompt, another place in the random sequence
}

TEST(EnsembleGeneration, TellsThePosteriorAfterTheLastToken) {
  Json c = cases()["ensemble"]["prompts"][1];
  const MixtureWeights weights = weights_of(c["runs"][0]);
  Ensemble ensemble(experts(), weights, {});
  for (const int tokens : {1, 5}) {
    Generation out = generate(ensemble, tokenizer_of("expert_0"), {c["prompt"]}, greedy(tokens), ignore).front();
    std::vector<TokenId> whole = out.prompt;
    for (const TokenId id : ids(out)) whole.push_back(id);
    Ensemble again(experts(), weights, {});
    again.begin(0, whole);
    std::vector<double> expected(again.experts());
    again.weights(0, expected);
    for (std::size_t j = 0; j < expected.size(); ++j) EXPECT_NEAR(out.posterior[j], expected[j], 1e-5) << tokens;
  }
}

// Large enough that its weights take whole pages.
ModelConfig wide_config() {
  ModelConfig config = load_config(test::oracle_folder() / "gpt2");
  config.width = 192;
  config.hidden = 768;
  return config;
}

// That an expert takes for a sequence: its decoder's buffers and a token's log-probabilities.
std::int64_t bytes_beside_weights(const ModelConfig& config) {
  return static_cast<std::int64_t>(Decoder::bytes(config, 1) +
                                   static_cast<std::size_t>(config.vocab_size) * sizeof(float));
}

TEST(EnsembleGeneration, WithLittleMemoryTheTextIsTheSame) {
  Json c = cases()["ensemble"]["prompts"][1];
  Tokenizer tokenizer = tokenizer_of("expert_0");
  MixtureWeights weights = weights_of(c["runs"][0]);
  test::TemporaryFolder folder;
  std::vector<Member> members;  // as btm writes them: those can be mapped
  for (const Member& expert : experts()) {
    make_folders(folder / expert.name);
    save_model(folder / expert.name, load_member(expert), kNoToken);
    members.push_back(single_member(expert.name, folder / expert.name, expert.name));
    EXPECT_TRUE(load_member(members.back()).parameters.mapped());
  }
  Ensemble whole(members, weights, {});
  EXPECT_EQ(whole.resident(), 3u);
  auto expected = generate(whole, tokenizer, {c["prompt"]}, greedy(30), ignore).front();
  Model model = load_model(test::oracle_folder() / "expert_0");
  auto one = static_cast<std::int64_t>(model.parameters.size() * sizeof(float));
  const std::int64_t beside = 3 * bytes_beside_weights(model.config);
  for (auto [memory, resident] : {std::pair(beside + one, 0u), std::pair(beside + 2 * one, 1u)}) {
    Ensemble small(members, weights, {.memory = memory});
    EXPECT_EQ(small.resident(), resident);
    EXPECT_EQ(ids(generate(small, tokenizer, {c["prompt"]}, greedy(30), ignore).front()), ids(expected));
  }
  try {
    Ensemble(members, weights, {.memory = beside + one - 1});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(e.what(), HasSubstr("--memory"));
  }
}

// Bytes of the file that this process holds in memory.
std::int64_t resident_bytes(const std::filesystem::path& file) {
  const std::string path = std::filesystem::canonical(file);
  std::istringstream maps(read_file("/proc/self/smaps"));
  std::int64_t sum = 0, kilobytes = 0;
  bool own = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ')) own = line.ends_with(" " + path);
    if (own && std::sscanf(line.c_str(), "Rss: %ld kB", &kilobytes) == 1) sum += kilobytes * 1024;
  }
  return sum;
}

// The likeliest ones stay; of the others there is nothing left when all threads are done with them.
TEST(EnsembleGeneration, HoldsNoMoreWeightsThanItsMemoryIsFor) {
  test::TemporaryFolder folder;
  const ModelConfig config = wide_config();
  std::vector<Member> members;
  for (std::uint64_t j = 0; j < 4; ++j) {
    const std::string name = fmt::format("expert{}", j);
    make_folders(folder / name);
    save_model(folder / name, random_model(config, j), kNoToken);
    members.push_back(single_member(name, folder / name, name));
  }
  const std::int64_t one = parameter_count(config) * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t beside = 4 * bytes_beside_weights(config);
  const MixtureWeights weights{{0.1, 0.2, 0.4, 0.3}};
  const Tokenizer tokenizer = tokenizer_of("gpt2");
  const std::vector<TokenId> expected = [&] {
    Ensemble whole(members, weights, {});
    return ids(generate(whole, tokenizer, {"nub"}, greedy(8), ignore).front());
  }();
  struct Case {
    int threads;
    std::int64_t room;  // for so many experts
    std::set<int> stay;
  };
  for (const Case& c : std::vector<Case>{{1, 2, {2}}, {1, 3, {2, 3}}, {2, 2, {}}, {2, 3, {2}}}) {
    SCOPED_TRACE(fmt::format("{} threads, room for {}", c.threads, c.room));
    Ensemble small(members, weights, {.threads = c.threads, .memory = beside + c.room * one});
    int looks = 0;
    const auto look = [&](std::size_t, std::string_view, int) {
      ++looks;
      for (int j = 0; j < 4; ++j) {
        const std::int64_t held = resident_bytes(folder / fmt::format("expert{}/model.safetensors", j));
        if (c.stay.contains(j)) {
          EXPECT_GT(held, one / 2) << j;
        } else {
          EXPECT_EQ(held, 0) << j;
        }
      }
    };
    EXPECT_EQ(ids(generate(small, tokenizer, {"nub"}, greedy(8), look).front()), expected);
    EXPECT_GT(looks, 0);
    EXPECT_EQ(small.resident(), c.stay.size());
  }
}

// The most that this process has held in memory since "5" was written to its clear_refs.
std::int64_t most_resident_bytes() {
  std::istringstream status(read_file("/proc/self/status"));
  std::int64_t kilobytes = 0;
  for (std::string line; std::getline(status, line);) {
    if (std::sscanf(line.c_str(), "VmHWM: %ld kB", &kilobytes) == 1) break;
  }
  return kilobytes * 1024;
}

// Each expert's weights are read when it is made, to be checked.
TEST(EnsembleGeneration, HoldsNoMoreWhileItIsMade) {
  test::TemporaryFolder folder;
  const ModelConfig config = wide_config();
  save_model(folder.path(), random_model(config, 1), kNoToken);
  const std::vector<Member> members(24, single_member("model", folder.path(), ""));
  const std::int64_t one = parameter_count(config) * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t beside = 24 * bytes_beside_weights(config);
  std::ofstream("/proc/self/clear_refs") << "5";
  const std::int64_t before = most_resident_bytes();
  const Ensemble ensemble(members, {std::vector(24, 1 / 24.0)}, {.memory = beside + 2 * one});
  EXPECT_LT(most_resident_bytes() - before, beside + 12 * one) << "half of them";
}

TEST(EnsembleGeneration, NarrowWeightsTakeLessMemory) {
  test::TemporaryFolder folder;
  const ModelConfig config = wide_config();
  save_model(folder.path(), random_model(config, 1), kNoToken);
  std::vector<Member> members(4, single_member("model", folder.path(), ""));
  const std::int64_t beside = 4 * bytes_beside_weights(load_config(folder.path()));
  auto whole = static_cast<std::int64_t>(load_model(folder.path()).parameters.size() * sizeof(float));
  auto resident = [&](GenerationPrecision precision) {
    return Ensemble(members, {std::vector(4, 0.25)}, {.memory = beside + 2 * whole, .precision = precision}).resident();
  };
  EXPECT_EQ(resident(GenerationPrecision::fp32), 1u);  // with room to read another
  EXPECT_EQ(resident(GenerationPrecision::int8), 4u);
}

TEST(EnsembleGeneration, DroppedExpertsAreNotRun) {
  Json c = cases()["ensemble"]["prompts"][2];
  Tokenizer tokenizer = tokenizer_of("expert_0");
  MixtureWeights weights = weights_of(c["runs"][0]);
  weights.drop_below = 0.5;  // never two of them
  Ensemble ensemble(experts(), weights, {});
  Generation out = generate(ensemble, tokenizer, {c["prompt"]}, greedy(30), ignore).front();
  auto tokens = static_cast<std::int64_t>(out.prompt.size() + out.tokens.size());
  EXPECT_LT(ensemble.runs(), 3 * tokens);
  EXPECT_GE(ensemble.runs(), tokens - 1);
  EXPECT_EQ(std::count(out.posterior.begin(), out.posterior.end(), 0.0), 2);
}

TEST(EnsembleGeneration, RefusesExpertsThatCannotBeMixed) {
  EXPECT_THROW(Ensemble(experts(), {{0.5, 0.5}}, {}), Error);  // weights of two
}

}  // namespace
}  // namespace btm
