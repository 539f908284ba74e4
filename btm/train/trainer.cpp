#include "btm/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <optional>
#include <utility>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/format.h"
#include "btm/core/half_written.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/core/progress.h"
#include "btm/core/stopwatch.h"
#include "btm/model/dtype.h"
#include "btm/train/batch_source.h"
#include "btm/train/dev_loss.h"
#include "btm/train/endpoints.h"
#include "btm/train/gemm_peak.h"
#include "btm/train/learner.h"
#include "btm/train/metrics.h"
#include "btm/train/result.h"
#include "btm/train/run_status.h"
#include "btm/train/snapshot.h"

namespace btm {
namespace {

constexpr double kStatusSeconds = 2;       // between two writings of status.json
constexpr double kSpeedMemory = 0.9;       // of the moving average of the speed shown
constexpr double kDevShare = 0.05;         // of the compute of training, at most, for dev losses at intervals
constexpr double kScoringShare = 1.0 / 3;  // compute of scoring a token, as a share of that of training on it
constexpr int kDevTimes = 10;              // dev losses in a run, at most
constexpr int kGpuWindows = 1024;          // that a GPU scores without a look for signals

// Updates between two dev losses.
std::int64_t dev_interval(const TrainingJob& job, std::int64_t dev_tokens) {
  if (job.training.dev_every > 0) return job.training.dev_every;
  double cost = static_cast<double>(dev_tokens) * kScoringShare / static_cast<double>(job.training.batch_tokens);
  auto affordable = static_cast<std::int64_t>(std::ceil(cost / kDevShare));
  return std::max({std::int64_t{1}, affordable, update_count(job) / kDevTimes});
}

class Trainer {
 public:
  Trainer(fs::path run, TrainingJob job, bool quiet, const Ranks& ranks);
  TrainingResult work();

 private:
  void resume();
  void share_state();
  void begin_files();
  void update();
  bool report();
  void report(const UpdateReport& done, double seconds, std::optional<double> dev_loss);
  void begin_checkpoint();
  void end_checkpoint();
  Error checkpoint_error(const Error& e) const;
  Error diverged(const std::string& what) const;
  void stop_if_asked(bool asked);
  void check_ranks_agree() const;
  TrainingResult finish();
  std::vector<SnapshotArray> arrays();
  int threads() const { return (device_ == Device::cuda ? 1 : job_.threads) * ranks_.size(); }
  double device_seconds() const { return spent_ + watch_.seconds() * threads(); }
  fs::path checkpoints() const { return RunPaths{run_}.checkpoints(); }

  Stopwatch watch_, since_status_, since_checkpoint_;
  fs::path run_;
  TrainingJob job_;
  const Ranks& ranks_;
  ThreadTeam team_;
  BatchSource batches_;
  std::optional<DemixLayout> demix_;
  Model model_;
  DevLoss dev_;
  std::int64_t updates_, tokens_per_update_, dev_interval_;
  Device device_;
  std::unique_ptr<Learner> learner_;
  double flops_per_token_;
  double peak_;                    // FLOP/s of all ranks; 0: not measured, because nobody looks
  double spent_ = 0;               // device seconds of earlier starts
  std::int64_t saved_update_ = 0;  // of the last checkpoint
  RunState state_;
  RunStatus status_;
  double dev_loss_ = 0;  // after the last update
  std::optional<MetricsFile> metrics_;
  Progress progress_;
  std::future<void> checkpoint_;  // being written; waited for before the rest goes
};

Device device_of(const TrainingJob& job) {
  take_share_of_gpu(job.gpu_share);
  return device_for(job.device, job.training.precision);
}

Trainer::Trainer(fs::path run, TrainingJob job, bool quiet, const Ranks& ranks)
    : run_(std::move(run)),
      job_(std::move(job)),
      ranks_(ranks),
      team_(job_.threads),
      batches_(job_),
      demix_(demix_layout(job_)),
      model_(initial_model(job_)),
      dev_(job_),
      updates_(update_count(job_)),
      tokens_per_update_(static_cast<std::int64_t>(batch_sequences(job_)) * job_.model.context),
      dev_interval_(dev_interval(job_, dev_.tokens())),
      device_(device_of(job_)),
      learner_(make_learner(model_, job_.training, {device_, batch_sequences(job_), updates_}, team_, ranks_,
                            demix_ ? &*demix_ : nullptr)),
      flops_per_token_(3 * forward_flops_per_token(job_.model)),
      peak_(quiet || device_ == Device::cuda
                ? 0
                : ranks_.size() * measure_gemm_peak(team_, operands_of(job_.training.precision))),
      progress_(job_.name, static_cast<double>(updates_), quiet) {
  check_tokenizer(job_);
  resume();
}

void Trainer::resume() {
  state_.threads = threads();
  state_.device = device_;
  state_.precision = device_ == Device::cuda ? Operands::bf16 : operands_of(job_.training.precision);
  state_.job_sha256 = job_sha256(job_);
  if (ranks_.is_first()) {
    remove_leftovers(run_);
    remove_half_written(checkpoints());  // it holds the lock, so nobody is at work there
    if (auto found = read_snapshot(checkpoints(), arrays(), state_.job_sha256)) {
      auto way = [](const RunState& s) {
        if (s.device == Device::cuda) return std::string("a GPU");
        return fmt::format("{} threads in {}", s.threads, to_word(s.precision));
      };
      if (way(*found) != way(state_)) {
        log_warning(fmt::format("{}: began with {} and goes on with {}: right, but not the same bytes at the end",
                                run_.string(), way(*found), way(state_)));
      }
      found->threads = state_.threads;
      found->precision = state_.precision;
      found->device = state_.device;
      state_ = *found;
    }
  }
  share_state();
  if (state_.update > 0) learner_->from_host();
  if (ranks_.is_first()) begin_files();
}

// What the first rank found, to the others.
void Trainer::share_state() {
  state_.update = static_cast<std::int64_t>(ranks_.broadcast(static_cast<double>(state_.update)));
  if (state_.update == 0) return;  // all have the initial weights
  for (const SnapshotArray& array : arrays()) ranks_.broadcast(array.values);
}

void Trainer::begin_files() {
  saved_update_ = state_.update;
  spent_ = state_.device_seconds;
  if (auto old = load_status(run_)) spent_ = std::max(spent_, old->device_seconds);  // what was lost counts too
  metrics_.emplace(RunPaths{run_}.metrics(), state_.metrics_bytes, state_.metrics_xxh3,
                   job_.tensorboard.empty() ? run_ : fs::path(job_.tensorboard));
  status_.update = state_.update;
  status_.updates = updates_;
  status_.device_seconds = spent_;
  save_status(run_, status_);
  progress_.update(static_cast<double>(state_.update));
}

std::vector<SnapshotArray> Trainer::arrays() {
  return {{"parameters.bin", model_.parameters.span()},
          {"adam_mean.bin", learner_->mean()},
          {"adam_square.bin", learner_->square()}};
}

TrainingResult Trainer::work() {
  if (!state_.unreported.empty()) report();
  if (state_.update < updates_) batches_.read(state_.update);
  while (state_.update < updates_) {
    stop_if_asked(interrupted());
    update();
  }
  stop_if_asked(!state_.unreported.empty());
  return finish();
}

void Trainer::update() {
  const Stopwatch watch;
  const auto before_change = [this] {
    end_checkpoint();
    if (state_.update + 1 == updates_) return;
    batches_.read(state_.update + 1);  // while a GPU works
    learner_->prepare(batches_.inputs(), batches_.targets(), batches_.domains());
  };
  UpdateReport done =
      learner_->learn(batches_.inputs(), batches_.targets(), batches_.domains(), state_.update, before_change);
  if (!std::isfinite(done.loss) || !std::isfinite(done.gradient_norm)) {
    throw diverged(fmt::format("the loss is not finite at update {} of {} (loss {}, gradient norm {})",
                               state_.update + 1, updates_, done.loss, done.gradient_norm));
  }
  const double seconds = watch.seconds();
  ++state_.update;
  if (!ranks_.is_first()) return;
  state_.unreported = {{done, seconds}};
  if (!report()) return;
  const bool due = checkpoint_due(job_.training, since_checkpoint_.seconds());
  if (due && state_.update < updates_) begin_checkpoint();
}

Error Trainer::diverged(const std::string& what) const {
  return input_error("{}: {}; lower training.learning_rate (now {}) or raise training.warmup", run_.string(), what,
                     job_.training.learning_rate);
}

// The update that waits for it, with its dev loss if one is due. False: interrupted before that was measured.
bool Trainer::report() {
  std::optional<double> dev_loss;
  if (state_.update % dev_interval_ == 0 || state_.update == updates_) {
    const int abreast = device_ == Device::cuda ? kGpuWindows : job_.threads;
    const auto score = [this](int domain, int window, auto tokens, auto log_probs) {
      learner_->score(domain, window, tokens, log_probs);
    };
    dev_loss = dev_.measure(abreast, score, interrupted);
    if (!dev_loss) return false;
    if (!std::isfinite(*dev_loss))
      throw diverged(fmt::format("the dev loss is not finite after update {} of {}", state_.update, updates_));
    dev_loss_ = *dev_loss;
  }
  const auto [done, seconds] = state_.unreported.front();
  state_.unreported.clear();
  report(done, seconds, dev_loss);
  return true;
}

void Trainer::report(const UpdateReport& done, double seconds, std::optional<double> dev_loss) {
  double speed = static_cast<double>(tokens_per_update_) / seconds;
  metrics_->add(state_.update, state_.update * tokens_per_update_, done, speed, dev_loss);
  double lately = status_.tokens_per_second;
  status_.tokens_per_second = lately == 0 ? speed : kSpeedMemory * lately + (1 - kSpeedMemory) * speed;
  status_.update = state_.update;
  status_.loss = done.loss;
  if (since_status_.seconds() >= kStatusSeconds) {
    since_status_ = {};
    metrics_->flush();
    status_.device_seconds = device_seconds();
    save_status(run_, status_);
  }
  std::string note = fmt::format("loss {:.3f}  {} tokens/s", done.loss, format_count(status_.tokens_per_second));
  if (peak_ > 0) note += fmt::format("  {:.0f}% of peak", 100 * status_.tokens_per_second * flops_per_token_ / peak_);
  progress_.update(static_cast<double>(state_.update), note);
}

Error Trainer::checkpoint_error(const Error& e) const {
  return Error(e.cause(), fmt::format("checkpoint at update {}: {} (training will go on from update {})", state_.update,
                                      e.what(), saved_update_));
}

// Writes while the next batch goes forward and backward, which only reads what is written.
void Trainer::begin_checkpoint() {
  since_checkpoint_ = {};
  try {
    state_.metrics_bytes = metrics_->flush();
  } catch (const Error& e) {
    throw checkpoint_error(e);
  }
  state_.metrics_xxh3 = metrics_->xxh3();
  state_.device_seconds = device_seconds();
  learner_->to_host();
  checkpoint_ = std::async(std::launch::async, [this, state = state_] {
    write_snapshot(checkpoints(), state, arrays(), job_.training.keep_checkpoints);
  });
}

void Trainer::end_checkpoint() {
  if (!checkpoint_.valid()) return;
  try {
    checkpoint_.get();
  } catch (const Error& e) {
    throw checkpoint_error(e);
  }
  saved_update_ = state_.update;
}

void Trainer::stop_if_asked(bool asked) {
  if (ranks_.sum(asked ? 1.0 : 0.0) == 0) return;  // all stop at the same update
  if (ranks_.is_first()) {
    end_checkpoint();
    if (state_.update > saved_update_) begin_checkpoint();
    end_checkpoint();
    status_.state = RunPhase::interrupted;
    status_.device_seconds = device_seconds();
    save_status(run_, status_);
  }
  throw Error(Cause::interrupted,
              fmt::format("{}: interrupted at update {} of {}; saved, the same command goes on from "
                          "there",
                          run_.string(), state_.update, updates_));
}

TrainingResult Trainer::finish() {
  learner_->to_host();
  if (!all_finite(model_.parameters.span()))
    throw diverged(fmt::format("weights are not finite after update {} of {}", state_.update, updates_));
  check_ranks_agree();
  if (!ranks_.is_first()) return {};
  metrics_->flush();
  save_final_model(run_, job_, model_);
  TrainingResult result = planned_result(job_);
  result.dev_loss = dev_loss_;
  result.threads = threads();
  result.precision = to_word(state_.precision);
  result.device = to_word(device_);
  result.metrics_xxh3 = metrics_->xxh3();
  status_.state = RunPhase::done;
  status_.device_seconds = result.device_seconds = device_seconds();
  save_status(run_, status_);
  save_result(run_, result);
  remove_whole(checkpoints());
  progress_.finish(fmt::format("loss {:.3f}  dev loss {:.3f}", status_.loss, dev_loss_));
  return result;
}

// Each rank made every update for itself, out of equal sums.
void Trainer::check_ranks_agree() const {
  double sum = 0;
  for (const float value : model_.parameters.span()) sum += value;
  const double first = ranks_.broadcast(sum);
  if (ranks_.sum(sum == first ? 0.0 : 1.0) > 0) {
    throw failure("{}: the ranks came to different weights; MPI or NCCL does not give all of them the same sums",
                  run_.string());
  }
}

}  // namespace

TrainingResult train(const fs::path& run, TrainingJob job, bool quiet, const Ranks& ranks) {
  return Trainer(run, std::move(job), quiet, ranks).work();
}

}  // namespace btm
