// btm train: one run folder to its end; what `btm grow` starts for each model.
#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "btm/core/cores.h"
#include "btm/core/file_lock.h"
#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/format.h"
#include "btm/core/half_written.h"
#include "btm/core/log.h"
#include "btm/data/domain_report.h"
#include "btm/data/tokenizer.h"
#include "btm/forest/output_place.h"
#include "btm/model/checkpoint.h"
#include "btm/train/job_check.h"
#include "btm/train/result.h"
#include "btm/train/run_training.h"
#include "cli/command.h"
#include "cli/count_option.h"
#include "cli/error_report.h"

namespace btm {
namespace {

struct TrainArguments {
  std::string run, init, tokenizer, tokens, output;
  std::vector<std::string> tokens_from, overrides;
  int threads = 0;
  bool quiet = false, json = false, wait = false, mpi = false;
};

std::string absolute(const std::string& path) {
  return path.empty() ? path : fs::absolute(path).lexically_normal().string();
}

// What the options without --set say.
TrainingJob plain_job(const TrainArguments& options) {
  TrainingJob job;
  fs::path output = fs::path(absolute(options.output)) / "";
  job.name = output.parent_path().filename().string();
  job.tokens = count_option("--tokens", options.tokens);
  job.threads = usable_cores();
  job.init = absolute(options.init);
  if (!job.init.empty()) job.model = load_config(job.init);
  job.tokenizer = absolute(options.tokenizer);
  if (job.tokenizer.empty() && fs::exists(fs::path(job.init) / kTokenizerFile)) job.tokenizer = job.init;
  for (const std::string& folder : options.tokens_from) {
    std::string path = (fs::path(absolute(folder)) / "").parent_path().string();
    job.data.push_back({fs::path(path).filename().string(), path, ""});
  }
  return job;
}

// Tokens mean nothing to a model of another tokenizer. What `btm prepare` didn't write has no domain.json.
void check_tokens_made_by(const TrainingJob& job) {
  const std::string wanted = Tokenizer::load(job.tokenizer).sha256();
  const fs::path own = fs::path(job.init) / kTokenizerFile;
  if (!job.init.empty() && job.init != job.tokenizer && fs::exists(own) &&
      !same_content(own, fs::path(job.tokenizer) / kTokenizerFile)) {
    throw input_error("{}: its tokenizer is another than {}; leave out --tokenizer", job.init, job.tokenizer);
  }
  for (const TrainingData& data : job.data) {
    if (!fs::exists(fs::path(data.folder) / kDomainReportFile)) continue;
    if (load_domain_report(data.folder).tokenizer_sha256 == wanted) continue;
    throw input_error(
        "{}: its tokens were made by another tokenizer than {}; prepare the text anew (btm prepare), or give the one "
        "that made them (--tokenizer) where that is only a copy of it",
        data.folder, job.tokenizer);
  }
}

// A new run folder out of the options.
TrainingJob new_job(const TrainArguments& options) {
  if (options.tokens_from.empty() || options.tokens.empty()) {
    throw input_error("a new run needs --tokens-from FOLDER and --tokens COUNT (see btm train --help)");
  }
  YAML::Node tree = parse_yaml(settings_json(plain_job(options)).dump(), "train");
  for (const std::string& assignment : options.overrides) apply_override(tree, assignment);
  TrainingJob job;
  read_settings(tree, job, "train");
  if (job.tokenizer.empty()) throw input_error("which tokenizer made the tokens? give --tokenizer FOLDER");
  if (job.model.vocab_size == 0) job.model.vocab_size = Tokenizer::load(job.tokenizer).vocab_size();
  job.model = resolve(job.model);
  if (options.threads > 0) job.threads = options.threads;
  check_job(job);
  check_tokens_made_by(job);
  for (TrainingData& data : job.data) {
    const bool prepared = fs::exists(fs::path(data.folder) / kDomainReportFile);
    if (prepared && data.train_sha256.empty()) data.train_sha256 = load_domain_report(data.folder).train_sha256;
  }
  if (!job.init.empty()) job.init_sha256 = weights_sha256(job.init);
  return job;
}

// A folder that is there has at most the initial weights that `btm branch` made in it, as a forest's runs do.
void require_no_files_of_others(const fs::path& run) {
  if (!fs::exists(run)) return;
  const bool free =
      fs::is_directory(run) && std::ranges::all_of(fs::directory_iterator(run), [&run](const auto& entry) {
        return entry.path() == RunPaths{run}.init() || is_half_written(entry.path());
      });
  if (!free) throw input_error("{}: is there already, and no run; choose another --output", run.string());
}

// The folder to train, with its run.yaml in place.
fs::path prepare_run(const TrainArguments& options) {
  bool starts_new = !options.output.empty();
  if (starts_new == !options.run.empty()) {
    throw input_error("give either the RUN to go on with or, for a new one, --output RUN (see btm train --help)");
  }
  const bool says_how = !options.overrides.empty() || !options.tokens_from.empty() || !options.init.empty() ||
                        !options.tokens.empty() || !options.tokenizer.empty();
  if (!starts_new && says_how) {
    throw input_error(
        "--init, --tokens-from, --tokens, --tokenizer and --set are for a new run (--output); {} has its run.yaml",
        options.run);
  }
  fs::path run = starts_new ? options.output : options.run;
  const bool is_there = fs::exists(RunPaths{run}.job());
  if (starts_new && is_there) {
    throw input_error("{}: a run is there already; go on with: btm train {} (or delete the folder)", run.string(),
                      run.string());
  }
  if (!starts_new && !is_there) {
    throw input_error(
        "{}: no run is there (no run.yaml); make a new one: btm train --output {} --tokens-from FOLDER ...",
        run.string(), run.string());
  }
  if (starts_new) {
    check_output_place(run, "runs");
    require_no_files_of_others(run);
    save_job(run, new_job(options));
  }
  return run;
}

// A new run that was refused before it began leaves nothing but the initial weights that were there, so that the
// command can be mended and given again.
void remove_unbegun(const fs::path& run) {
  const RunPaths paths{run};
  const std::array before_work = {paths.job(), paths.status(), paths.lock()};
  FileLock lock(paths.lock(), fmt::format("training in {}", run.string()));  // nobody else has begun it
  for (const auto& entry : fs::directory_iterator(run)) {
    const bool known = std::ranges::find(before_work, entry.path()) != before_work.end();
    if (!known && entry.path() != paths.init()) return;
  }
  if (!fs::exists(paths.init())) return remove_whole(run);
  for (const fs::path& file : before_work) remove_whole(file);
}

TrainingResult train_prepared(const Ranks& ranks, const TrainArguments& options, const fs::path& run) {
  const bool starts_new = !options.output.empty() && ranks.is_first();
  try {
    const auto busy = options.wait ? FileLock::Busy::wait : FileLock::Busy::refuse;
    return run_training(run, {options.quiet, busy, options.threads}, ranks);
  } catch (const Error& e) {
    if (starts_new && e.cause() == Cause::input) remove_unbegun(run);
    throw;
  } catch (const std::bad_alloc&) {
    if (starts_new) remove_unbegun(run);
    throw;
  }
}

// With several ranks an error of one ends all: the others would wait for it for ever.
TrainingResult train_with(const Ranks& ranks, const TrainArguments& options, fs::path run) {
  bool together = false;
  try {
    if (ranks.is_first()) run = prepare_run(options);
    ranks.wait();
    together = true;  // all ranks are interrupted at the same place
    return train_prepared(ranks, options, run);
  } catch (const Error& e) {
    if (ranks.size() == 1 || (together && e.cause() == Cause::interrupted)) throw;
    ranks.abort(tell_error());
  } catch (...) {
    if (ranks.size() == 1) throw;
    ranks.abort(tell_error());
  }
}

void train(const TrainArguments& options) {
  const Ranks ranks = options.mpi ? Ranks::join() : Ranks();
  const fs::path run = options.output.empty() ? options.run : options.output;
  const TrainingResult result = train_with(ranks, options, run);
  if (!ranks.is_first()) return;
  if (options.json) {
    fmt::print("{}\n", settings_json(result).dump(2));
  } else if (!options.quiet) {
    fmt::print("{}: {} tokens in {} updates, dev loss {:.4f}, {} of device time\n", RunPaths{run}.model().string(),
               format_count(static_cast<double>(result.tokens)), result.updates, result.dev_loss,
               format_duration(result.device_seconds));
  }
}

constexpr const char* kExamples = R"(
Examples:
  btm train runs/python                          go on with a run folder, or do nothing if it is done
  btm train --output runs/small --tokenizer runs/demo/tokenizer --tokens-from runs/demo/tokens/python \
      --tokens 1M --set model.layers=2 --set model.width=96 --set training.learning_rate=1e-3
  btm train --output runs/ruby --init runs/demo/seed --tokens-from tokens/ruby --tokens 500k

A stopped run (Ctrl-C, SIGTERM, kill -9) goes on where it was and ends with the same bytes. It leaves RUN/model (loads in
transformers), RUN/metrics.jsonl (and the same for TensorBoard) and RUN/result.json.

Settings for --set, as in RUN/run.yaml, with their defaults:
)";

}  // namespace

void add_train(CLI::App& app) {
  auto options = std::make_shared<TrainArguments>();
  Command command(app, "train", "Train one model in a run folder, or go on with it");
  command.add_option("RUN", options->run, "Run folder with a run.yaml");
  command.add_option("-o,--output", options->output, "New run folder, made out of the options below");
  command.add_option("--init", options->init, "Checkpoint folder to start from; default: random weights");
  command.add_option("--tokens-from", options->tokens_from,
                     "Folders with train and dev tokens (btm prepare); several are balanced");
  command.add_option("--tokens", options->tokens, "How many to train on: 500k, 4M");
  command.add_option("--tokenizer", options->tokenizer, "Folder with tokenizer.json; default: that of --init");
  command.add_option("--set", options->overrides, "One of the settings below, e.g. --set model.layers=4; several times")
      .type_name("KEY=VALUE");
  command.add_option("--threads", options->threads, "Replicas; default: as in run.yaml, all cores for a new run")
      .positive();
  command.add_flag("--mpi", options->mpi, "One of the processes (mpirun, srun) that train RUN together");
  command.add_flag("--wait", options->wait, "If another process trains RUN, wait for it and go on from what it leaves");
  command.add_flag("--quiet", options->quiet, "No progress; RUN/status.json has it");
  command.add_flag("--json", options->json, "Print the result as JSON");
  command.footer([] { return kExamples + settings_help<TrainingJob>(); });
  command.callback([options] { train(*options); });
}

}  // namespace btm
