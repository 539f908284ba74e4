// btm generate: text from a forest: the ensemble, one expert, or an average; or from any one model.
#include "btm/mixture/generate.h"

#include <algorithm>
#include <memory>
#include <set>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/core/stopwatch.h"
#include "btm/data/byte_source.h"
#include "btm/data/text_file.h"
#include "btm/data/utf8.h"
#include "btm/model/checkpoint.h"
#include "cli/command.h"
#include "cli/count_option.h"
#include "cli/generate_choice.h"
#include "cli/generate_display.h"
#include "cli/setting_options.h"

namespace btm {
namespace {

constexpr std::int64_t kLongContext = std::int64_t{1} << 32;  // more tokens than any model sees

struct GenerateArguments {
  GenerateChoiceOptions choice;
  GenerateDisplayOptions display;
  std::string file, memory, precision = "auto";
  std::vector<std::string> prompts, stop;
  int batch = 8;
  int threads = 1;
  SettingOptions settings;
};

struct Prompts {
  std::vector<std::string> texts;
  std::vector<std::string> places;  // of each, as messages begin with it: "p.txt:3: "; empty: the command line
};

void warn_of_repair(const std::string& what) {
  log_warning(what + " is not valid UTF-8; what is not was replaced by U+FFFD");
}

// The prompts of the command line, and of the file.
Prompts read_prompts(const GenerateArguments& options) {
  Prompts prompts;
  for (const std::string& prompt : options.prompts) {
    prompts.texts.push_back(prompt == "-" ? read_standard_input() : prompt);
    if (repair_utf8(prompts.texts.back())) warn_of_repair("a prompt");
    prompts.places.emplace_back();
  }
  if (!options.file.empty()) {
    TextSettings lines;
    lines.split_documents_on = "\n";  // JSON lines are lines anyway
    TextFile file(options.file == "-" ? kStandardInput : options.file, lines);
    for (std::string text; file.next(text);) {
      if (text.ends_with('\r') && !file.json_lines()) text.pop_back();  // lines of Windows
      prompts.texts.push_back(text);
      prompts.places.push_back(fmt::format("{}:{}: ", options.file, file.record()));
    }
    if (file.repaired() > 0) warn_of_repair(fmt::format("{}: a prompt", options.file));
  }
  if (prompts.texts.empty()) throw input_error("no prompt: give --prompt TEXT or --prompts FILE");
  return prompts;
}

// All of them, before the first one is shown.
void check_prompts(const Ensemble& ensemble, const Tokenizer& tokenizer, const Prompts& prompts) {
  for (std::size_t i = 0; i < prompts.texts.size(); ++i) {
    try {
      encode_prompt(ensemble, tokenizer, prompts.texts[i]);
    } catch (const Error& e) {
      throw Error(e.cause(), prompts.places[i] + e.what());
    }
  }
}

// Those of chat models may be several.
std::vector<TokenId> end_tokens_of(const std::vector<Member>& members) {
  std::set<TokenId> ends;
  for (const Member& member : members) {
    for (const int id : end_tokens(member.sources.front().folder)) ends.insert(id);
  }
  return {ends.begin(), ends.end()};
}

void run_generate(const GenerateArguments& options) {
  GenerateSettings settings;
  options.settings.read(settings, "generate");
  settings.stop = options.stop;
  check(settings);
  if (options.batch < 1) throw input_error("--batch is {}, but must be at least 1", options.batch);
  EnsembleOptions running;
  running.threads = options.threads;
  running.memory = options.memory.empty() ? 0 : count_option("--memory", options.memory);
  if (running.memory < 0) throw input_error("--memory is {}, but can't be negative", options.memory);
  running.precision = from_word<GenerationPrecision>("--precision", options.precision);
  const Prompts given = read_prompts(options);
  const std::vector<std::string>& prompts = given.texts;
  GenerateChoiceOptions what = options.choice;
  what.threads = options.threads;
  what.quiet = options.display.json;
  GenerateChoice choice = choose(what, prompts);
  settings.end_tokens = end_tokens_of(choice.members);
  running.sequences = static_cast<int>(std::min<std::size_t>(prompts.size(), static_cast<std::size_t>(options.batch)));
  for (const std::string& prompt : prompts) {
    const auto length = static_cast<std::int64_t>(choice.tokenizer.encode(prompt).size());
    running.tokens = std::max(running.tokens, length + std::min(settings.tokens, kLongContext));
  }
  Ensemble ensemble(choice.members, choice.weights, running);
  if (ensemble.resident() < ensemble.experts()) {
    log_info(fmt::format("{} of {} stay in memory; the others are read again for every token (--memory {})",
                         ensemble.resident(), counted(ensemble.experts(), "expert"), options.memory));
  }
  check_prompts(ensemble, choice.tokenizer, given);
  GenerateDisplay display(options.display, choice, prompts);
  const Stopwatch watch;
  auto results = generate(
      ensemble, choice.tokenizer, prompts, settings,
      [&](std::size_t, std::string_view text, int expert) { display.add(text, expert); },
      [&](std::size_t i, const Generation& out) { display.take(i, out); });
  double seconds = watch.seconds();
  std::size_t tokens = 0;
  for (const Generation& out : results) tokens += out.tokens.size();
  std::string experts = ensemble.experts() == 1
                            ? ""
                            : fmt::format(", {:.3g} of {} experts a token",
                                          static_cast<double>(ensemble.runs()) / static_cast<double>(ensemble.read()),
                                          ensemble.experts());
  log_info(fmt::format(
      "{}: {} tokens, {} tokens/s{}{}", choice.name, tokens,
      format_count(static_cast<double>(tokens) / std::max(seconds, 1e-9)), experts,
      results.size() > 1 || results.front().reason == "tokens" ? "" : ", ended by " + results.front().reason));
}

}  // namespace

void add_generate(CLI::App& app) {
  auto options = std::make_shared<GenerateArguments>();
  Command command(app, "generate", "Generate text from the ensemble, from one expert, or from an average of experts");
  options->choice.add(command);
  command
      .add_option("--prompt", options->prompts, "Text to go on from; - for standard input; may be given several times")
      .type_name("TEXT")
      .one_value();
  command
      .add_option(
          "--prompts", options->file,
          "File of prompts, one a line: plain text, or .jsonl with a \"text\" field; - for standard input, plain text")
      .type_name("FILE")
      .not_empty();
  command.add_flag("--show-experts", options->display.show_experts,
                   "Show which expert drove each token: by colour on a terminal, else in a list");
  command.add_option("--stop", options->stop, "End before this text; may be given several times")
      .type_name("TEXT")
      .one_value();
  options->settings.add<GenerateSettings>(command, "Settings");
  command.add_option("--batch", options->batch, "Prompts that grow at once").capture_default_str();
  command.add_threads(options->threads, "Experts that run at once");
  command
      .add_option("--memory", options->memory,
                  "Bytes for weights and caches, e.g. 2G: experts beyond are read from disk for every token")
      .type_name("BYTES")
      .not_empty();
  command
      .add_option("--precision", options->precision,
                  "Weights as fp32, bf16 or int8: narrower is faster and takes less memory; auto: as the checkpoint is")
      .type_name("NAME")
      .capture_default_str();
  command.add_flag("--only-new", options->display.only_new, "Print what is generated without the prompt");
  command.add_flag("--json", options->display.json, "Print a JSON object per prompt, one a line");
  command.footer(
      "\nThe ensemble weighs its experts by the domain posterior, which takes in every token, the prompt's "
      "included.\n\n"
      "  btm generate runs/demo --prompt 'def ' --show-experts\n"
      "  btm generate runs/demo --prompts prompts.jsonl --domain python --top-experts 2 --json\n");
  command.callback([options] { run_generate(*options); });
}

}  // namespace btm
