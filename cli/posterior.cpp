// btm posterior: which experts a text looks like.
#include <cmath>
#include <memory>
#include <numbers>
#include <numeric>

#include "btm/core/log.h"
#include "btm/core/terminal.h"
#include "btm/data/byte_source.h"
#include "btm/data/text_file.h"
#include "btm/data/utf8.h"
#include "btm/mixture/text_posterior.h"
#include "btm/plan/scoring_place.h"
#include "btm/report/text_table.h"
#include "cli/command.h"
#include "cli/expert_colours.h"
#include "cli/mixture_options.h"

namespace btm {
namespace {

struct PosteriorArguments {
  std::string forest, words, file;
  MixtureOptions mixture;
  int threads = 1;
  bool per_token = false, json = false;
};

// The documents of a file one below the other.
std::string read_documents(const std::string& path) {
  TextFile file(path, {}, {.cut_long = false});
  std::string text, document;
  while (file.next(document)) text += (text.empty() ? "" : "\n\n") + document;
  if (file.repaired() > 0) log_warning(path + ": not valid UTF-8; what is not was replaced by U+FFFD");
  return text;
}

std::string read_text(const PosteriorArguments& options) {
  if (options.words.empty() == options.file.empty()) {
    throw input_error("give the text either as TEXT or with --text FILE (- for standard input)");
  }
  if (!options.file.empty() && options.file != "-") return read_documents(options.file);
  std::string text = options.file.empty() ? options.words : read_standard_input();
  if (repair_utf8(text)) log_warning("the text is not valid UTF-8; what is not was replaced by U+FFFD");
  return text;
}

// A bar of eighths of a character cell.
std::string bar(double share) {
  constexpr int kCells = 30;
  constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  int eighths = static_cast<int>(std::lround(share * kCells * 8));
  std::string text;
  for (int i = 0; i < eighths / 8; ++i) text += "█";
  return text + kEighths[eighths % 8];
}

void print_table(const TextPosterior& result) {
  std::vector<std::size_t> order(result.posterior.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return result.posterior[a] > result.posterior[b]; });
  TextTable table{
      {{"expert", Align::left}, {"", Align::left}, {"posterior"}, {"share"}, {"perplexity"}, {"bits per byte"}}, {}};
  for (std::size_t j : order) {
    double bits = result.mean_losses[j] * static_cast<double>(result.tokens.size()) / std::numbers::ln2 /
                  static_cast<double>(std::max<std::int64_t>(1, result.bytes));
    table.rows.push_back({result.scores.experts[j], bar(result.posterior[j]),
                          fmt::format("{:.1f} %", 100 * result.posterior[j]),
                          fmt::format("{:.1f} %", 100 * result.share[j]),
                          fmt::format("{:.4g}", std::exp(result.mean_losses[j])), fmt::format("{:.3f}", bits)});
  }
  fmt::print("{}\n{} tokens. Posterior: after the whole text. Share: weights of the fixed mixture that fits it best.\n",
             to_text(table), result.tokens.size());
}

// The weights that the mixture had when it predicted token t, [experts].
std::span<const double> weights_at(const TextPosterior& result, std::size_t t) {
  return std::span(result.course).subspan(t * result.posterior.size(), result.posterior.size());
}

std::size_t likeliest(std::span<const double> weights) {
  return static_cast<std::size_t>(std::max_element(weights.begin(), weights.end()) - weights.begin());
}

// The text, each token in the colour of the expert that had the largest weight for it.
void print_coloured(const TextPosterior& result, const Tokenizer& tokenizer) {
  fmt::print("{}\n\n", colour_key(result.scores.experts));
  std::string held;  // bytes of a character that goes on in the next token
  for (std::size_t t = 0; t < result.tokens.size(); ++t) {
    held += tokenizer.decode(std::span(&result.tokens[t], 1));
    const std::size_t size = t + 1 < result.tokens.size() ? finished_characters(held) : held.size();
    if (size > 0) fmt::print("{}", painted(held.substr(0, size), likeliest(weights_at(result, t))));
    held.erase(0, size);
  }
  fmt::print("\n\n");
}

void print_lines(const TextPosterior& result, const Tokenizer& tokenizer) {
  TokenTable table(tokenizer);
  for (std::size_t t = 0; t < result.tokens.size(); ++t) {
    const auto weights = weights_at(result, t);
    const std::size_t best = likeliest(weights);
    table.add(result.tokens[t], result.scores.experts[best], weights[best]);
  }
  fmt::print("{}\n", table.text());
}

void print_json(const TextPosterior& result, const Tokenizer& tokenizer, bool per_token) {
  Json json = {{"tokens", result.tokens.size()}, {"bytes", result.bytes}, {"experts", Json::object()}};
  for (std::size_t j = 0; j < result.posterior.size(); ++j) {
    json["experts"][result.scores.experts[j]] = {{"posterior", result.posterior[j]},
                                                 {"share", result.share[j]},
                                                 {"prior", result.weights.prior[j]},
                                                 {"perplexity", std::exp(result.mean_losses[j])}};
  }
  json["forgetting"] = result.weights.forgetting;
  json["evidence"] = result.weights.evidence;
  for (std::size_t t = 0; per_token && t < result.tokens.size(); ++t) {
    std::string text = tokenizer.decode(std::span(&result.tokens[t], 1));
    repair_utf8(text);
    Json weights = Json::object(), log_probs = Json::object();
    for (std::size_t j = 0; j < result.posterior.size(); ++j) {
      weights[result.scores.experts[j]] = weights_at(result, t)[j];
      log_probs[result.scores.experts[j]] = result.scores.of(j)[t];
    }
    json["course"].push_back(
        {{"id", result.tokens[t]}, {"text", text}, {"weights", weights}, {"log_probs", log_probs}});
  }
  fmt::print("{}\n", json.dump(per_token ? -1 : 2));
}

void run_posterior(const PosteriorArguments& options) {
  Forest forest = open_forest(options.forest);
  Tokenizer tokenizer = Tokenizer::load(forest.paths.tokenizer());
  TextPosteriorSettings settings;
  settings.prior = options.mixture.prior();
  settings.sample = options.mixture.sample(forest);
  settings.place = scoring_place(forest, options.threads);
  settings.quiet = options.json;
  TextPosterior result = text_posterior(forest, expert_members(forest), tokenizer, read_text(options), settings);
  if (options.json) return print_json(result, tokenizer, options.per_token);
  if (options.per_token) shows_colours(stdout) ? print_coloured(result, tokenizer) : print_lines(result, tokenizer);
  print_table(result);
}

}  // namespace

void add_posterior(CLI::App& app) {
  auto options = std::make_shared<PosteriorArguments>();
  Command command(app, "posterior", "Say which experts of a forest a text looks like");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  command.add_option("TEXT", options->words, "The text");
  command
      .add_option("--text", options->file, "File with the text instead: plain, .jsonl, .gz, .zst; - for standard input")
      .type_name("FILE");
  command.add_flag("--per-token", options->per_token,
                   "Also show the weights token by token: on a terminal the text in the colours of the experts");
  options->mixture.add(command, "uniform, updating, ");
  command.add_threads(options->threads, "Threads that score");
  command.add_flag("--json", options->json, "Print as JSON; with --per-token the weights before every token");
  command.callback([options] { run_posterior(*options); });
}

}  // namespace btm
