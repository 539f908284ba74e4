#include "btm/train/external_trainer.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <thread>
#include <utility>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/hash.h"
#include "btm/core/interrupt.h"
#include "btm/core/process.h"
#include "btm/core/stopwatch.h"
#include "btm/data/token_store.h"
#include "btm/data/tokenizer.h"
#include "btm/model/checkpoint.h"
#include "btm/train/batch_source.h"
#include "btm/train/dev_loss.h"
#include "btm/train/endpoints.h"
#include "btm/train/result.h"
#include "btm/train/run_status.h"
#include "btm/train/score.h"

namespace btm {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(100);
constexpr double kStatusSeconds = 2;  // between two writings of status.json
constexpr const char* kKnown[] = {"init", "tokens", "text", "output", "token_count", "threads"};

// The command with f(NAME) in place of each {NAME}.
template <class F>
std::string filled_in(const std::string& command, F&& f) {
  std::string result;
  for (std::size_t at = 0; at < command.size();) {
    const auto end = command[at] == '{' ? command.find('}', at) : std::string::npos;
    if (end == std::string::npos) {
      result += command[at++];
      continue;
    }
    result += f(command.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return result;
}

// The train documents as they were before they were tokenized, but for what the tokenizer normalises.
void write_text(const fs::path& file, const TrainingData& data, const Tokenizer& tokenizer) {
  const TokenStore store(fs::path(data.folder) / "train");
  FileWriter out(file);
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i < store.documents(); ++i) {
    ids.resize(static_cast<std::size_t>(store.length(i)));
    store.copy(i, 0, ids);
    if (!ids.empty() && ids.back() == tokenizer.end_of_text()) ids.pop_back();
    const std::string text = tokenizer.decode(ids, /*skip_special=*/false);
    out.write(Json{{"text", text}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }
  out.publish();
}

class ExternalRun {
 public:
  ExternalRun(const fs::path& run, TrainingJob job)
      : run_(run), job_(std::move(job)), dev_(job_), team_(job_.threads) {}

  TrainingResult work() {
    const BatchSource checked(job_);  // the data are the job's
    check_tokenizer(job_);
    if (const auto before = load_status(run_)) spent_ = before->device_seconds;
    status_.updates = update_count(job_);
    status_.device_seconds = spent_;
    save_status(run_, status_);
    const fs::path init = initial_checkpoint();
    make_folders(output());
    run_command(command(init));
    return finish();
  }

 private:
  fs::path output() const { return RunPaths{run_}.trainer_output(); }
  double device_seconds() const { return spent_ + watch_.seconds() * job_.threads; }

  fs::path initial_checkpoint() {
    const Model model = initial_model(job_);  // checks shape and hash
    if (!job_.init.empty() && load_config(job_.init).context == job_.model.context) return job_.init;
    FolderWriter folder(RunPaths{run_}.trainer_init());
    save_checkpoint_folder(folder.path(), job_, model);
    folder.publish();
    return RunPaths{run_}.trainer_init();
  }

  std::string command(const fs::path& init) const {
    return filled_in(job_.trainer, [&](const std::string& name) -> std::string {
      if (name == "init") return shell_word(init);
      if (name == "output") return shell_word(output());
      if (name == "tokens") return folders();
      if (name == "text") return texts();
      if (name == "token_count") return std::to_string(planned_result(job_).tokens);
      return std::to_string(job_.threads);
    });
  }

  std::string folders() const {
    std::string result;
    for (const TrainingData& data : job_.data) result += (result.empty() ? "" : " ") + shell_word(data.folder);
    return result;
  }

  std::string texts() const {
    const Tokenizer tokenizer = Tokenizer::load(job_.tokenizer);
    const fs::path texts = RunPaths{run_}.trainer_text();
    make_folders(texts);
    std::string result;
    for (const TrainingData& data : job_.data) {
      const fs::path file = texts / (data.domain + ".jsonl");
      if (!fs::exists(file)) write_text(file, data, tokenizer);
      result += (result.empty() ? "" : " ") + shell_word(file);
    }
    return result;
  }

  // What it prints goes where this process prints.
  void run_command(const std::string& words) {
    if (interrupted()) throw_interrupted();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what the shell leaves behind becomes this process's to wait for
    const pid_t process = start_process({"/bin/sh", "-c", words}, {});
    Stopwatch since_status;
    int status = 0;
    pid_t ended = 0;
    bool told = false;
    const auto tell = [&] {
      if (!std::exchange(told, true)) {
        ::kill(-process, SIGTERM);  // the shell and what it started
        ::kill(-process, SIGCONT);  // should it be stopped
      }
    };
    while ((ended = ::waitpid(process, &status, WNOHANG)) == 0) {
      if (interrupted()) tell();
      if (since_status.seconds() >= kStatusSeconds) note_running(), since_status = {};
      std::this_thread::sleep_for(kPoll);
    }
    if (ended < 0) throw failure("{}: the trainer can't be waited for", run_.string());
    if (interrupted()) {
      tell();
      while (::waitpid(-process, nullptr, 0) > 0 || errno == EINTR) {  // a shell may end before what it started
      }
      throw_interrupted();
    }
    const int code = exit_code(status);
    if (code != 0) throw input_error("the trainer ended with exit code {}; it was called so: {}", code, words);
  }

  [[noreturn]] void throw_interrupted() {
    note(RunPhase::interrupted);
    throw Error(Cause::interrupted, fmt::format("{}: interrupted; the same command starts the trainer again, with what "
                                                "it left in {}",
                                                run_.string(), output().string()));
  }

  void note_running() {
    try {
      note(RunPhase::running);
    } catch (const Error&) {
      // Only for show: a full disk that the trainer itself can do without doesn't end it.
    }
  }

  void note(RunPhase state) {
    status_.state = state;
    status_.device_seconds = device_seconds();
    save_status(run_, status_);
  }

  TrainingResult finish() {
    if (!fs::exists(output() / kConfigFile)) {
      throw input_error("{}: the trainer ended well, but left no checkpoint there: {} is missing", output().string(),
                        kConfigFile);
    }
    require_same_shape(load_config(output()), job_, output().string());
    const Model model = load_model(output());
    WindowScorer scorer(model.config, team_, operands_of(job_.training.precision));
    TrainingResult result = planned_result(job_);
    const auto score = [&](int, int window, auto tokens, auto log_probs) {
      scorer.of(window).score(model.parameters.data(), tokens, log_probs);
    };
    result.dev_loss = dev_.measure(team_.size(), score, nullptr).value();  // stopped now, all would be lost
    if (!std::isfinite(result.dev_loss)) {
      throw input_error("{}: the dev loss of what the trainer left is not finite", output().string());
    }
    result.threads = job_.threads;
    save_final_model(run_, job_, model);
    write_file(RunPaths{run_}.metrics(), "");  // there is no curve
    result.metrics_xxh3 = Xxh3().hex();
    status_.update = status_.updates;
    note(RunPhase::done);
    result.device_seconds = status_.device_seconds;
    save_result(run_, result);
    remove_trainer_folders(run_);
    return result;
  }

  fs::path run_;
  TrainingJob job_;
  DevLoss dev_;  // made first, to tell before the training what it can't be measured on
  ThreadTeam team_;
  RunStatus status_;
  Stopwatch watch_;
  double spent_ = 0;  // device seconds of earlier starts
};

}  // namespace

void check_trainer_command(const std::string& command) {
  bool output = false;
  filled_in(command, [&](const std::string& name) {
    if (std::ranges::find(kKnown, name) == std::end(kKnown)) {
      throw input_error("trainer.command: {{{}}} is not known; known are {{{}}}", name, fmt::join(kKnown, "}, {"));
    }
    output = output || name == "output";
    return "";
  });
  for (const char* name : kKnown) {
    for (const char* quote : {"\"", "'"}) {
      const std::string quoted = fmt::format("{0}{{{1}}}{0}", quote, name);
      if (command.find(quoted) != std::string::npos) {
        throw input_error("trainer.command: {} stands in quotes, but is put in as a word of the shell; leave them out",
                          quoted);
      }
    }
  }
  if (!output) throw input_error("trainer.command has no {{output}}: the folder for the checkpoint that it leaves");
}

void remove_trainer_folders(const fs::path& run) {
  const RunPaths paths{run};
  for (const fs::path& folder : {paths.trainer_output(), paths.trainer_text(), paths.trainer_init()}) {
    remove_whole(folder);
  }
}

TrainingResult run_external_trainer(const fs::path& run, TrainingJob job) {
  return ExternalRun(run, std::move(job)).work();
}

}  // namespace btm
