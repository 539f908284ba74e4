// btm generate: text from one model.
#include "btm/mixture/generate.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/log.h"
#include "btm/data/utf8.h"
#include "btm/forest/forest.h"
#include "btm/mixture/member.h"
#include "btm/mixture/text_posterior.h"
#include "btm/model/checkpoint.h"
#include "cli/command.h"
#include "cli/setting_options.h"

namespace btm {
namespace {

struct Options {
  std::string source, prompt, expert, average;
  std::vector<std::string> stop;
  SettingOptions settings;
  bool json = false, only_new = false;
};

struct Choice {
  std::string name;
  Model model;
  Tokenizer tokenizer;
};

// Every single model of a forest by name: the seed, the experts, the comparisons.
std::vector<Member> models_of(const Forest& forest) {
  std::vector<Member> models;
  if (forest.seed) models.push_back(single_member(kSeedName, forest.paths.seed(), forest.seed->weights_sha256));
  for (const ExpertInfo& expert : forest.experts) {
    models.push_back(single_member(expert.name, forest.paths.expert(expert.name), expert.weights_sha256));
  }
  std::set<fs::path> comparisons;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(forest.paths.comparison(""), none)) comparisons.insert(entry.path());
  for (const fs::path& folder : comparisons) {
    if (fs::exists(folder / "expert.json")) models.push_back(single_member(folder.filename().string(), folder, ""));
  }
  return models;
}

const Member& find_model(const std::vector<Member>& models, const std::string& name, const Forest& forest) {
  std::vector<std::string> known;
  for (const Member& model : models) {
    if (model.name == name) return model;
    known.push_back(model.name);
  }
  std::string near = nearest_word(name, known);
  throw input_error(
      "{}: no expert of {}{}", name, forest.paths.root.string(),
      near.empty() ? fmt::format("; there are {}", fmt::join(known, ", ")) : fmt::format("; did you mean {}?", near));
}

// "all", or "python,rust=0.3": experts with weights, 1 where none is given.
Member parse_average(const std::string& text, const std::vector<Member>& models, const Forest& forest) {
  std::vector<Member> members;
  std::vector<double> weights;
  if (text == "all") {
    for (const ExpertInfo& expert : forest.experts) members.push_back(find_model(models, expert.name, forest));
    return average_member("average", members, std::vector(members.size(), 1.0));
  }
  for (const std::string& part : CLI::detail::split(text, ',')) {
    std::size_t equals = part.find('=');
    members.push_back(find_model(models, part.substr(0, equals), forest));
    double weight = 1;
    if (equals != std::string::npos &&
        (!CLI::detail::lexical_cast(part.substr(equals + 1), weight) || !(weight >= 0))) {
      throw input_error("--average {}: the weight is not a number of 0 or more", part);
    }
    weights.push_back(weight);
  }
  return average_member("average", members, weights);
}

// The expert of largest posterior after the prompt.
std::string likeliest_expert(const Forest& forest, const Tokenizer& tokenizer, const std::string& prompt, bool quiet) {
  if (prompt.empty()) throw input_error("the prompt is empty; give some text to go on from");
  TextPosteriorSettings settings;
  settings.quiet = true;
  TextPosterior result = text_posterior(forest, tokenizer, prompt, settings);
  auto best = std::max_element(result.posterior.begin(), result.posterior.end()) - result.posterior.begin();
  std::string name = result.scores.experts[static_cast<std::size_t>(best)];
  if (!quiet) {
    log_info(fmt::format("expert {}: it has {:.0f} % of the posterior after the prompt", name,
                         100 * result.posterior[static_cast<std::size_t>(best)]));
  }
  return name;
}

Choice choose(const Options& options, const std::string& prompt) {
  fs::path folder = options.source;
  if (fs::exists(folder / "config.json")) {
    if (!options.expert.empty() || !options.average.empty()) {
      throw input_error("{} is one model: --expert and --average choose from a forest", folder.string());
    }
    return {folder.string(), load_model(folder), Tokenizer::load(folder)};
  }
  Forest forest = open_forest(folder);
  Tokenizer tokenizer = Tokenizer::load(forest.paths.tokenizer());
  auto models = models_of(forest);
  Member member;
  if (!options.average.empty()) {
    member = parse_average(options.average, models, forest);
  } else {
    std::string name = options.expert;
    if (name.empty()) name = likeliest_expert(forest, tokenizer, prompt, options.json);
    member = find_model(models, name, forest);
  }
  Model model = load_member(member);
  return {member.name, std::move(model), std::move(tokenizer)};
}

void show(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void run(const Options& options) {
  GenerateSettings settings;
  options.settings.read(settings, "btm generate");
  settings.stop = options.stop;
  check(settings.sampler);
  std::string prompt = options.prompt == "-" ? read_file("/dev/stdin") : options.prompt;
  if (repair_utf8(prompt)) log_warning("the prompt is not valid UTF-8; what is not was replaced by U+FFFD");
  auto [name, model, tokenizer] = choose(options, prompt);
  bool begun = false;
  auto emit = [&](std::string_view text) {
    if (options.json) return;
    if (!begun && !options.only_new) show(prompt);
    begun = true;
    show(text);
  };
  auto start = std::chrono::steady_clock::now();
  Generation out = generate(model, tokenizer, prompt, settings, emit);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  double speed = static_cast<double>(out.tokens.size()) / std::max(seconds, 1e-9);
  if (options.json) {
    Json json = {{"model", name},
                 {"prompt", prompt},
                 {"text", out.text},
                 {"tokens", out.tokens},
                 {"ended", out.reason},
                 {"settings", settings_json(settings)},
                 {"tokens_per_second", speed}};
    fmt::print("{}\n", json.dump());
    return;
  }
  if (!begun) emit("");
  show("\n");
  log_info(fmt::format("{}: {} tokens, {} tokens/s{}", name, out.tokens.size(), format_count(speed),
                       out.reason == "tokens" ? "" : ", ended by " + out.reason));
}

}  // namespace

void add_generate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("generate", "Generate text from one expert, or from an average of experts");
  command->add_option("SOURCE", options->source, "Folder of a forest, or of one model (Hugging Face layout)")
      ->required();
  command->add_option("--prompt", options->prompt, "Text to go on from; - for standard input")
      ->required()
      ->type_name("TEXT");
  auto* expert = command
                     ->add_option("--expert", options->expert,
                                  "Expert of the forest (or seed, dense); default: the likeliest for the prompt")
                     ->type_name("NAME");
  command->add_option("--average", options->average, "Average of experts instead: all, or NAME[=WEIGHT],...")
      ->type_name("NAMES")
      ->excludes(expert);
  command->add_option("--stop", options->stop, "End before this text; may be given several times")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  options->settings.add<GenerateSettings>(*command, "Settings");
  command->add_flag("--only-new", options->only_new, "Print what is generated without the prompt");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options] { run(*options); });
}

}  // namespace btm
