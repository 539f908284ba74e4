// Times Transformer::train (forward and backward, no optimiser) on random tokens and prints one JSON line:
// tokens and model GFLOPs per second, by wall clock (median and best) and by CPU time of the thread (best), which other
// work on the machine disturbs less.
#include <fmt/format.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <vector>

#include "btm/core/random.h"
#include "btm/model/transformer.h"

namespace {

struct Options {
  btm::ModelConfig model;
  std::string architecture = "gpt2";
  int sequences = 8, warmup = 2, steps = 10;
  bool score = false;
};

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Times {
  std::vector<double> wall, cpu;
};

template <class Step>
Times measure(const Options& options, Step&& step) {
  Times times;
  for (int i = -options.warmup; i < options.steps; ++i) {
    double wall = wall_seconds(), cpu = cpu_seconds();
    step();
    if (i < 0) continue;
    times.wall.push_back(wall_seconds() - wall);
    times.cpu.push_back(cpu_seconds() - cpu);
  }
  std::sort(times.wall.begin(), times.wall.end());
  std::sort(times.cpu.begin(), times.cpu.end());
  return times;
}

void run(const Options& options) {
  btm::Model model = btm::random_model(options.model, 1);
  const btm::ModelConfig& c = model.config;
  btm::Random random(2);
  const std::size_t count = static_cast<std::size_t>(options.sequences) * c.context;
  std::vector<btm::TokenId> tokens(count), targets(count);
  for (auto& token : tokens) token = static_cast<btm::TokenId>(random.below(c.vocab_size));
  for (auto& token : targets) token = static_cast<btm::TokenId>(random.below(c.vocab_size));
  using Use = btm::Transformer::Use;
  btm::Transformer transformer(c, options.sequences, c.context, options.score ? Use::scoring : Use::training);
  btm::Buffer gradients(model.parameters.size());
  std::vector<float> log_probs(count);
  Times times = measure(options, [&] {
    if (options.score) {
      transformer.score(model.parameters.data(), tokens, targets, log_probs);
    } else {
      transformer.train(model.parameters.data(), tokens, targets, 1.0f / static_cast<float>(count), gradients.data());
    }
  });
  double flops = (options.score ? 1 : 3) * btm::forward_flops_per_token(c), n = static_cast<double>(count);
  double median = times.wall[times.wall.size() / 2];
  btm::Json json = {{"tokens_per_second", static_cast<std::int64_t>(n / median)},
                    {"best", static_cast<std::int64_t>(n / times.wall.front())},
                    {"best_by_cpu_time", static_cast<std::int64_t>(n / times.cpu.front())},
                    {"gflops", n * flops / median / 1e9},
                    {"gflops_best_by_cpu_time", n * flops / times.cpu.front() / 1e9},
                    {"parameters", model.parameters.size()}};
  fmt::print("{}\n", json.dump());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Speed of one thread's training step");
  Options options;
  options.model.layers = 6, options.model.width = 384, options.model.context = 512, options.model.vocab_size = 8192;
  app.add_option("--architecture", options.architecture)->check(CLI::IsMember({"gpt2", "llama"}));
  app.add_option("--layers", options.model.layers);
  app.add_option("--width", options.model.width);
  app.add_option("--heads", options.model.heads);
  app.add_option("--kv-heads", options.model.kv_heads);
  app.add_option("--context", options.model.context);
  app.add_option("--vocab", options.model.vocab_size);
  app.add_option("--sequences", options.sequences);
  app.add_option("--warmup", options.warmup);
  app.add_option("--steps", options.steps);
  app.add_flag("--score", options.score, "time Transformer::score instead");
  CLI11_PARSE(app, argc, argv);
  if (options.architecture == "llama") options.model.architecture = btm::Architecture::llama;
  try {
    run(options);
  } catch (const btm::Error& e) {
    fmt::print(stderr, "bench_train_step: {}\n", e.what());
    return static_cast<int>(e.cause());
  }
  return 0;
}
