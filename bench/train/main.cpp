// Times whole training updates (forward, backward, reduction, clipping, AdamW) on random tokens, or scoring, and prints
// one JSON line.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "btm/core/random.h"
#include "btm/core/stopwatch.h"
#include "btm/model/parameters.h"
#include "btm/train/device.h"
#include "btm/train/gemm_peak.h"
#include "btm/train/learner.h"
#include "btm/train/text_scorer.h"

namespace {

struct Options {
  btm::ModelConfig model;
  std::string architecture = "gpt2", precision = "fp32", device = "cpu";
  int sequences = 8, threads = 1, warmup = 2, steps = 10;
  bool score = false, recompute = false;
};

btm::Precision precision_of(const Options& options) {
  return btm::from_word<btm::Precision>("--precision", options.precision);
}

btm::Device device_of(const Options& options) {
  if (options.device == "cpu") return btm::Device::cpu;
  return btm::device_for(btm::Device::cuda, precision_of(options));
}

// Seconds of each step, in ascending order.
template <class Step>
std::vector<double> measure(const Options& options, Step&& step) {
  std::vector<double> times;
  for (int i = -options.warmup; i < options.steps; ++i) {
    const btm::Stopwatch watch;
    step();
    if (i >= 0) times.push_back(watch.seconds());
  }
  std::sort(times.begin(), times.end());
  return times;
}

std::vector<btm::TokenId> random_tokens(std::size_t count, int vocab, std::uint64_t seed) {
  btm::Random random(seed);
  std::vector<btm::TokenId> tokens(count);
  for (auto& token : tokens) token = static_cast<btm::TokenId>(random.below(static_cast<std::uint64_t>(vocab)));
  return tokens;
}

std::vector<double> measure_training(const Options& options, btm::Model& model, btm::ThreadTeam& team,
                                     const std::vector<btm::TokenId>& inputs,
                                     const std::vector<btm::TokenId>& targets) {
  btm::TrainingSettings settings;
  settings.recompute = options.recompute;
  settings.precision = precision_of(options);
  const btm::Ranks alone;
  const auto learner =
      btm::make_learner(model, settings, {device_of(options), options.sequences, 1'000'000}, team, alone);
  std::int64_t update = 0;
  const auto prepare_next = [&] { learner->prepare(inputs, targets, {}); };  // as the trainer does
  return measure(options, [&] { learner->learn(inputs, targets, {}, update++, prepare_next); });
}

std::vector<double> measure_scoring(const Options& options, const btm::Model& model, std::vector<btm::TokenId> tokens) {
  const auto scorer =
      btm::make_text_scorer(model, model.config.context, {device_of(options), options.threads, precision_of(options)});
  std::vector<float> log_probs(tokens.size());
  tokens.push_back(0);
  return measure(options, [&] { scorer->score(tokens, log_probs); });
}

double peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

void run(const Options& options) {
  btm::Model model = btm::random_model(options.model, 1);
  const btm::ModelConfig config = model.config;
  const std::size_t count = static_cast<std::size_t>(options.sequences) * static_cast<std::size_t>(config.context);
  const auto inputs = random_tokens(count, config.vocab_size, 2), targets = random_tokens(count, config.vocab_size, 3);
  btm::ThreadTeam team(options.threads);
  const auto times =
      options.score ? measure_scoring(options, model, inputs) : measure_training(options, model, team, inputs, targets);
  const double flops = (options.score ? 1 : 3) * btm::forward_flops_per_token(config) * static_cast<double>(count);
  const auto operands = btm::operands_of(precision_of(options));
  const double median = times[times.size() / 2];
  const double peak = options.device == "cuda" ? btm::measure_gpu_peak() : btm::measure_gemm_peak(team, operands);
  btm::Json json = {{"tokens_per_second", static_cast<std::int64_t>(static_cast<double>(count) / median)},
                    {"best", static_cast<std::int64_t>(static_cast<double>(count) / times.front())},
                    {"gflops", flops / median / 1e9},
                    {"gemm_peak_gflops", peak / 1e9},
                    {"peak_memory_bytes", peak_memory()},
                    {"parameters", model.parameters.size()}};
  fmt::print("{}\n", json.dump());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Speed of training");
  Options options;
  options.model.layers = 6, options.model.width = 384, options.model.context = 512, options.model.vocab_size = 8192;
  app.add_option("--architecture", options.architecture)->check(CLI::IsMember({"gpt2", "llama"}));
  app.add_option("--layers", options.model.layers);
  app.add_option("--width", options.model.width);
  app.add_option("--heads", options.model.heads);
  app.add_option("--kv-heads", options.model.kv_heads);
  app.add_option("--hidden", options.model.hidden);
  app.add_option("--context", options.model.context);
  app.add_option("--vocab", options.model.vocab_size);
  app.add_option("--sequences", options.sequences);
  app.add_option("--threads", options.threads);
  app.add_option("--warmup", options.warmup);
  app.add_option("--steps", options.steps);
  app.add_option("--precision", options.precision)->check(CLI::IsMember({"fp32", "bf16", "int16"}));
  app.add_option("--device", options.device)->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_flag("--recompute", options.recompute, "training.recompute");
  app.add_flag("--score", options.score, "time scoring instead");
  CLI11_PARSE(app, argc, argv);
  if (options.architecture == "llama") options.model.architecture = btm::Architecture::llama;
  try {
    run(options);
  } catch (const btm::Error& e) {
    fmt::print(stderr, "bench_train: {}\n", e.what());
    return static_cast<int>(e.cause());
  }
  return 0;
}
