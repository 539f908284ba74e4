// btm average: one plain LM out of many.
#include "btm/model/average.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

#include "btm/core/cores.h"
#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/forest/models.h"
#include "btm/forest/output_place.h"
#include "btm/mixture/average_weights.h"
#include "btm/mixture/domain_sample.h"
#include "btm/plan/branch.h"
#include "btm/plan/scoring_place.h"
#include "cli/command.h"
#include "cli/count_option.h"
#include "cli/named_weight.h"
#include "cli/nearest_model.h"

namespace btm {
namespace {

struct AverageArguments {
  std::vector<std::string> sources;
  std::string output, forest;
  std::string weights, domain;  // how to choose the weights, and for what
  int top_k = 0;
  std::optional<int> budget;
  std::string shard_size;
  bool force = false;
  bool json = false;
};

// What names an existing path is never split.
NamedWeight parse_source(const std::string& text) {
  return fs::exists(text) ? NamedWeight{text, {}} : parse_named_weight(text);
}

// A model that btm trained knows its hash wherever it lies.
WeightedFolder published_source(const fs::path& folder, const std::string& name, const std::string& remedy) {
  const std::string sha256 = load_expert(folder).weights_sha256;
  require_intact(folder, sha256, remedy);
  return {folder, 1, name, sha256};
}

// A model of the forest by its name, else a folder.
WeightedFolder find_source(const std::string& name, const std::string& forest) {
  std::vector<std::string> known;
  if (!forest.empty()) {
    const ForestPaths paths{forest};
    for (const PublishedModel& model : published_models(paths)) {
      if (model.name == name) {
        return published_source(model.folder, model.folder.lexically_relative(paths.root).string(),
                                verify_advice(paths));
      }
      known.push_back(model.name);
    }
  }
  if (is_published(name))
    return published_source(name, {}, "restore it from a copy, or delete its expert.json if it was changed on purpose");
  if (fs::is_directory(name)) return {name, 1};
  if (forest.empty()) throw input_error("{}: no such folder; to name experts of a forest, add --forest FOREST", name);
  throw input_error("{}: neither a model of {} nor a folder{}", name, forest, did_you_mean(nearest_model(name, known)));
}

std::vector<WeightedFolder> find_sources(const AverageArguments& options) {
  if (!options.forest.empty() && !fs::is_directory(options.forest)) {
    throw input_error("{}: no such forest", options.forest);
  }
  if (options.sources.empty()) throw input_error("no sources: name the models to average, or --forest and --weights");
  std::vector<WeightedFolder> folders;
  std::size_t weighted = 0;
  for (const std::string& text : options.sources) {
    const NamedWeight source = parse_source(text);
    weighted += source.weight.has_value();
    folders.push_back(find_source(source.name, options.forest));
    folders.back().weight = source.weight.value_or(1);
  }
  if (weighted != 0 && weighted != folders.size()) {
    throw input_error("{} of {} sources have a weight; give every source one, or none for equal weights", weighted,
                      folders.size());
  }
  return folders;
}

// --force replaces an earlier average, and nothing that may not be made again.
void check_output(const AverageArguments& options) {
  const fs::path output = options.output;
  check_output_place(output);
  if (!fs::exists(output) || (fs::is_directory(output) && fs::is_empty(output))) return;
  if (!options.force) throw input_error("{} is there already; choose another --output, or --force", output.string());
  require_replaceable(output, kAverageRecord, "average");
}

// How weights are chosen; none: as they are given. What is said of it fits together.
std::optional<AverageKind> kind_of_choice(const AverageArguments& options) {
  const bool has_domain = !options.domain.empty(), has_top_k = options.top_k != 0;
  if (options.weights.empty()) {
    if (has_top_k || has_domain || options.budget) {
      throw input_error("--top-k, --domain and --budget are for weights that are chosen: add --weights KIND");
    }
    return {};
  }
  const auto kind = from_word<AverageKind>("--weights", options.weights);
  if (options.forest.empty())
    throw input_error("--weights {} chooses among experts: add --forest FOREST", options.weights);
  if (kind == AverageKind::uniform) {
    if (has_domain || options.budget || has_top_k) {
      throw input_error("--weights uniform takes all experts alike: leave out --domain, --budget and --top-k");
    }
    return kind;
  }
  if (!has_domain) throw input_error("--weights {} are for a domain: add --domain NAME", options.weights);
  if (options.budget && kind != AverageKind::fitted && kind != AverageKind::interpolated) {
    throw input_error("--budget is for --weights fitted and interpolated, not {}", options.weights);
  }
  if (options.budget && *options.budget < 1) {
    throw input_error("--budget is {}, but must be at least 1", *options.budget);
  }
  if (options.top_k < 0) throw input_error("--top-k is {}, but can't be negative", options.top_k);
  return kind;
}

// The experts of the forest, or those named, with weights chosen on the dev sample of a domain.
std::vector<WeightedFolder> choose_sources(const AverageArguments& options, AverageKind kind) {
  Forest forest = open_forest(options.forest);
  if (forest.experts.empty()) throw input_error("{}: the forest has no experts to average", options.forest);
  std::vector<Member> experts = expert_members(forest);
  std::erase_if(experts, [&options](const Member& expert) {
    return !options.sources.empty() && std::ranges::find(options.sources, expert.name) == options.sources.end();
  });
  if (experts.empty() || (!options.sources.empty() && experts.size() != options.sources.size())) {
    throw input_error("{}: with --weights the sources are experts of it, or none for all of them", options.forest);
  }
  std::optional<Member> seed = seed_member(forest);
  AverageWeights weights{std::vector<double>(experts.size(), 1.0)};
  if (kind != AverageKind::uniform) {
    const DomainSample sample = dev_sample(forest, options.domain);
    const ScoringPlace place = scoring_place(forest, usable_cores());
    Scores dev = score_sample(forest, experts, sample, place, options.json);
    weights = average_weights(kind, experts, seed, read_sample(forest, sample, dev.window), dev,
                              {options.budget.value_or(AverageFitSettings().budget), place});
  }
  keep_largest(weights.experts, options.top_k);
  const double left = std::accumulate(weights.experts.begin(), weights.experts.end(), 0.0);
  for (double& weight : weights.experts)
    weight *= left > 0 ? (1 - weights.seed) / left : 0;  // the seed keeps its share
  if (weights.evaluations > 0) {
    log_info(fmt::format("{} models tried: {:.4f} nats per token on the dev sample of {}{}", weights.evaluations,
                         weights.loss, options.domain, options.top_k > 0 ? ", with all experts" : ""));
  }
  Member average = weighted_average("average", experts, seed, weights);
  for (WeightedFolder& source : average.sources) {
    require_intact(source.folder, source.sha256, verify_advice(forest.paths));
    source.name = source.folder.lexically_relative(forest.paths.root).string();
  }
  return average.sources;
}

std::int64_t shard_bytes(const AverageArguments& options) {
  if (options.shard_size.empty()) return 0;
  std::int64_t bytes = count_option("--shard-size", options.shard_size);
  if (bytes < 1) throw input_error("--shard-size {}: must be at least 1 byte", options.shard_size);
  return bytes;
}

void run_average(const AverageArguments& options) {
  check_output(options);
  const std::optional<AverageKind> kind = kind_of_choice(options);
  const std::int64_t shard = shard_bytes(options);
  auto sources = kind ? choose_sources(options, *kind) : find_sources(options);
  fs::path output = fs::path(options.output) / "";  // "dir" and "dir/" are one
  FolderWriter folder(output.parent_path());
  Json record =
      average_checkpoints(sources, folder.path(), {.threads = 0, .quiet = options.json, .shard_bytes = shard});
  folder.publish();
  if (options.json) {
    Json json = {{"output", options.output}};
    json.update(record);
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{}: the average of\n", options.output);
  for (const Json& source : record["sources"]) {
    fmt::print("  {:.4f}  {}\n", source["weight"].get<double>(), source["folder"].get<std::string>());
  }
}

}  // namespace

void add_average(CLI::App& app) {
  auto options = std::make_shared<AverageArguments>();
  Command command(app, "average", "Average the weights of models: one plain LM out of many");
  command.add_option("SOURCE", options->sources,
                     "Model folders (config.json, safetensors), or with --forest the names of its models; each with "
                     "=WEIGHT, or none for equal weights; with --weights: experts to choose from (default: all)");
  command.add_option("-o,--output", options->output, "The folder to write; it appears whole or not at all").required();
  command.add_option("--forest", options->forest, "Where names of models (seed, experts, comparisons) are looked up")
      .not_empty();
  command
      .add_option("--weights", options->weights,
                  "Choose the weights of the forest's experts: uniform; for a --domain, from its dev sample: argmax, "
                  "posterior (the paper's), em, fitted, greedy, interpolated (with the seed)")
      .type_name("KIND")
      .not_empty();
  command.add_option("--domain", options->domain, "Domain of the forest that the average is for")
      .type_name("NAME")
      .not_empty();
  command.add_option("--top-k", options->top_k, "Keep the K largest of the weights chosen").type_name("K");
  command.add_option("--budget", options->budget, "Models that fitted and interpolated try at most")
      .default_str(std::to_string(AverageFitSettings().budget));
  command
      .add_option("--shard-size", options->shard_size,
                  "Split the weights into files of at most this, e.g. 5G (default: one file)")
      .type_name("BYTES")
      .not_empty();
  command.add_flag("--force", options->force, "Replace an earlier average of that name");
  command.add_flag("--json", options->json, "Print the result as one line of JSON");
  command.footer(
      "\nWeights are scaled to sum to 1. The sources must be of one shape and one tokenizer; the result is a Hugging\n"
      "Face folder like them, with average.json saying what it was made of.\n\n"
      "  btm average --forest runs/demo python=0.7 rust=0.3 --output runs/code\n"
      "  btm average --forest runs/demo --weights fitted --domain ruby --output runs/ruby\n"
      "  btm average run1/checkpoint run2/checkpoint --output soup\n");
  command.callback([options] { run_average(*options); });
}

}  // namespace btm
