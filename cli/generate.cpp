// btm generate: text from a forest: the ensemble, one expert, or an average; or from any one model.
#include "btm/mixture/generate.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include <set>
#include <thread>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/log.h"
#include "btm/core/progress.h"
#include "btm/data/text_file.h"
#include "btm/data/utf8.h"
#include "btm/forest/forest.h"
#include "btm/mixture/text_posterior.h"
#include "btm/report/text_table.h"
#include "cli/command.h"
#include "cli/enum_option.h"
#include "cli/mixture_options.h"
#include "cli/setting_options.h"

namespace btm {
namespace {

struct Options {
  std::string source, file, expert, average, memory, precision = "auto";
  std::vector<std::string> prompts, stop;
  MixtureOptions mixture;
  double drop_below = 0;
  int top_experts = 0, batch = 8;
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  SettingOptions settings;
  bool json = false, only_new = false, show_experts = false, with_seed = false;
};

// The models to run and how they are mixed.
struct Choice {
  std::string name;
  std::vector<Member> members;
  MixtureWeights weights;
  Tokenizer tokenizer;
};

// Every single model of a forest by name: the seed, the experts, the comparisons.
std::vector<Member> models_of(const Forest& forest) {
  std::vector<Member> models;
  if (auto seed = seed_member(forest)) models.push_back(*seed);
  std::ranges::copy(expert_members(forest), std::back_inserter(models));
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

// The k experts of largest prior; a uniform one says nothing, so there the posterior after the prompts chooses.
void keep_top_experts(Choice& choice, const Forest& forest, const Options& options,
                      const std::vector<std::string>& prompts) {
  std::vector<double> chance = choice.weights.prior;
  if (std::ranges::all_of(chance, [&](double p) { return p == chance.front(); })) {
    TextPosteriorSettings settings;
    settings.threads = options.threads;
    settings.quiet = true;
    std::string text = fmt::format("{}", fmt::join(prompts, "\n"));
    chance = text_posterior(forest, choice.members, choice.tokenizer, text, settings).posterior;
  }
  std::vector<Member> members;
  std::vector<double> prior;
  for (int j : largest(chance, options.top_experts)) {
    members.push_back(choice.members[static_cast<std::size_t>(j)]);
    prior.push_back(choice.weights.prior[static_cast<std::size_t>(j)]);
  }
  double sum = std::accumulate(prior.begin(), prior.end(), 0.0);
  for (double& p : prior) p = sum > 0 ? p / sum : 1.0 / static_cast<double>(prior.size());
  choice.members = std::move(members);
  choice.weights.prior = std::move(prior);
}

Choice choose_ensemble(const Forest& forest, const Options& options, const std::vector<std::string>& prompts) {
  Choice choice{"ensemble", {}, {}, Tokenizer::load(forest.paths.tokenizer())};
  choice.members = expert_members(forest);
  if (options.with_seed) {
    if (!forest.seed) throw input_error("{} has no seed", forest.paths.root.string());
    choice.members.push_back(*seed_member(forest));
  }
  choice.weights = weights_for(forest, choice.members, options.mixture.prior(), options.mixture.sample(),
                               options.threads, options.json);
  if (options.top_experts < 0) throw input_error("--top-experts is {}, but can't be negative", options.top_experts);
  if (options.top_experts > 0) keep_top_experts(choice, forest, options, prompts);
  choice.weights.drop_below = options.drop_below;
  return choice;
}

Choice choose(const Options& options, const std::vector<std::string>& prompts) {
  fs::path folder = options.source;
  if (fs::exists(folder / "config.json")) {
    if (!options.expert.empty() || !options.average.empty()) {
      throw input_error("{} is one model: --expert and --average choose from a forest", folder.string());
    }
    return {folder.string(), {single_member(folder.string(), folder, "")}, {{1.0}}, Tokenizer::load(folder)};
  }
  Forest forest = open_forest(folder);
  if (options.expert.empty() && options.average.empty()) return choose_ensemble(forest, options, prompts);
  auto models = models_of(forest);
  Member member = options.average.empty() ? find_model(models, options.expert, forest)
                                          : parse_average(options.average, models, forest);
  return {member.name, {member}, {{1.0}}, Tokenizer::load(forest.paths.tokenizer())};
}

void show(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// The prompts of the command line, and of the file.
std::vector<std::string> read_prompts(const Options& options) {
  std::vector<std::string> prompts;
  for (const std::string& prompt : options.prompts) {
    prompts.push_back(prompt == "-" ? read_file("/dev/stdin") : prompt);
  }
  if (!options.file.empty()) {
    TextSettings lines;
    lines.split_documents_on = "\n";  // JSON lines are lines anyway
    TextFile file(options.file, lines);
    for (std::string text; file.next(text);) prompts.push_back(text);
  }
  if (prompts.empty()) throw input_error("no prompt: give --prompt TEXT or --prompts FILE");
  for (std::string& prompt : prompts) {
    if (repair_utf8(prompt)) log_warning("a prompt is not valid UTF-8; what is not was replaced by U+FFFD");
  }
  return prompts;
}

Json to_json(const Choice& choice, const std::string& prompt, const Generation& out, const Options& options) {
  Json json = {
      {"model", choice.name}, {"prompt", prompt}, {"text", out.text}, {"tokens", Json::array()}, {"ended", out.reason}};
  for (const GeneratedToken& token : out.tokens) json["tokens"].push_back(token.id);
  if (choice.members.size() > 1) {
    for (std::size_t j = 0; j < choice.members.size(); ++j)
      json["posterior"][choice.members[j].name] = out.posterior[j];
  }
  for (const GeneratedToken& token : out.tokens) {
    if (!options.show_experts) break;
    json["experts"].push_back(
        {{"expert", choice.members[static_cast<std::size_t>(token.expert)].name}, {"weight", token.weight}});
  }
  return json;
}

// Shows the text of a single prompt while it grows, that of several when all are done.
class Display {
 public:
  Display(const Options& options, const Choice& choice, const std::vector<std::string>& prompts)
      : options_(options),
        choice_(choice),
        prompts_(prompts),
        streams_(!options.json && prompts.size() == 1),
        colours_(options.show_experts && !options.json && is_terminal(stdout)) {
    if (colours_) {
      for (std::size_t j = 0; j < choice.members.size(); ++j) {
        show(fmt::format("{}{}{}", j ? "  " : "", colour(j) + choice.members[j].name, kPlain));
      }
      show("\n\n");
    }
    if (streams_) begin(0);
  }

  void add(std::string_view text, int expert) {
    if (streams_) show(painted(std::string(text), expert));
  }

  void finish(const std::vector<Generation>& results, const Tokenizer& tokenizer) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (options_.json) {
        fmt::print("{}\n", to_json(choice_, prompts_[i], results[i], options_).dump());
        continue;
      }
      if (!streams_) {
        begin(i);
        show(results[i].text);
      }
      show(i + 1 < results.size() ? "\n\n" : "\n");
      if (options_.show_experts && !colours_) list_experts(results[i], tokenizer);
    }
  }

 private:
  void begin(std::size_t prompt) {
    if (!options_.only_new) show(prompts_[prompt]);
  }

  std::string painted(std::string text, int expert) const {
    if (!colours_) return text;
    return colour(static_cast<std::size_t>(expert)) + harmless(std::move(text)) + kPlain;
  }

  void list_experts(const Generation& out, const Tokenizer& tokenizer) const {
    TextTable table{{{"token", Align::left}, {"expert", Align::left}, {"weight"}}, {}};
    for (const GeneratedToken& token : out.tokens) {
      table.rows.push_back({Json(harmless(tokenizer.decode(std::span(&token.id, 1)))).dump(),
                            choice_.members[static_cast<std::size_t>(token.expert)].name,
                            fmt::format("{:.3f}", token.weight)});
    }
    show("\n" + to_text(table));
  }

  const Options& options_;
  const Choice& choice_;
  const std::vector<std::string>& prompts_;
  bool streams_, colours_;
};

void run(const Options& options) {
  GenerateSettings settings;
  options.settings.read(settings, "btm generate");
  settings.stop = options.stop;
  check(settings.sampler);
  if (options.threads < 1) throw input_error("--threads is {}, but must be at least 1", options.threads);
  if (options.batch < 1) throw input_error("--batch is {}, but must be at least 1", options.batch);
  std::vector<std::string> prompts = read_prompts(options);
  Choice choice = choose(options, prompts);
  EnsembleOptions running;
  running.sequences = static_cast<int>(std::min<std::size_t>(prompts.size(), static_cast<std::size_t>(options.batch)));
  running.threads = options.threads;
  running.memory = options.memory.empty() ? 0 : parse_count(options.memory);
  running.precision = parse_enum<GenerationPrecision>("--precision", options.precision);
  Ensemble ensemble(choice.members, choice.weights, running);
  Display display(options, choice, prompts);
  auto start = std::chrono::steady_clock::now();
  auto results = generate(ensemble, choice.tokenizer, prompts, settings,
                          [&](std::size_t, std::string_view text, int expert) { display.add(text, expert); });
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  display.finish(results, choice.tokenizer);
  std::size_t tokens = 0, read = 0;
  for (const Generation& out : results) tokens += out.tokens.size(), read += out.prompt.size() + out.tokens.size() - 1;
  std::string experts =
      ensemble.experts() == 1
          ? ""
          : fmt::format(", {:.3g} of {} experts a token",
                        static_cast<double>(ensemble.runs()) / static_cast<double>(std::max<std::size_t>(1, read)),
                        ensemble.experts());
  log_info(fmt::format(
      "{}: {} tokens, {} tokens/s{}{}", choice.name, tokens,
      format_count(static_cast<double>(tokens) / std::max(seconds, 1e-9)), experts,
      results.size() > 1 || results.front().reason == "tokens" ? "" : ", ended by " + results.front().reason));
}

}  // namespace

void add_generate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("generate", "Generate text from the ensemble, from one expert, or from an average of experts");
  command->add_option("SOURCE", options->source, "Folder of a forest, or of one model (Hugging Face layout)")
      ->required();
  command
      ->add_option("--prompt", options->prompts, "Text to go on from; - for standard input; may be given several times")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  command
      ->add_option("--prompts", options->file,
                   "File of prompts, one a line: plain text, or .jsonl with a \"text\" field")
      ->type_name("FILE");
  auto* expert = command->add_option("--expert", options->expert, "One expert of the forest (or seed, dense) alone")
                     ->type_name("NAME");
  command->add_option("--average", options->average, "An average of experts: all, or NAME[=WEIGHT],...")
      ->type_name("NAMES")
      ->excludes(expert);
  options->mixture.add(*command);
  command
      ->add_option("--top-experts", options->top_experts,
                   "Run only the K experts of largest prior (without --domain: of largest posterior after the prompts)")
      ->type_name("K");
  command
      ->add_option("--drop-below", options->drop_below,
                   "Stop running an expert once its weight has been below this for 8 tokens")
      ->type_name("WEIGHT");
  command->add_flag("--with-seed", options->with_seed, "The seed speaks, too: a generalist for texts of no domain");
  command->add_flag("--show-experts", options->show_experts,
                    "Show which expert drove each token: by colour on a terminal, else in a list");
  command->add_option("--stop", options->stop, "End before this text; may be given several times")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  options->settings.add<GenerateSettings>(*command, "Settings");
  command->add_option("--batch", options->batch, "Prompts that grow at once")->capture_default_str();
  command->add_option("--threads", options->threads, "Experts that run at once")->capture_default_str();
  command
      ->add_option("--memory", options->memory,
                   "Bytes for weights and caches, e.g. 2G: experts beyond are read from disk for every token")
      ->type_name("BYTES");
  command
      ->add_option(
          "--precision", options->precision,
          "Weights as fp32, bf16 or int8: narrower is faster and takes less memory; auto: as the checkpoint is")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_flag("--only-new", options->only_new, "Print what is generated without the prompt");
  command->add_flag("--json", options->json, "Print a JSON object per prompt, one a line");
  command->footer(
      "\nThe ensemble weighs its experts by the domain posterior, which takes in every token, the prompt's "
      "included.\n\n"
      "  btm generate runs/demo --prompt 'def ' --show-experts\n"
      "  btm generate runs/demo --prompts prompts.jsonl --domain python --top-experts 2 --json\n");
  command->callback([options] { run(*options); });
}

}  // namespace btm
