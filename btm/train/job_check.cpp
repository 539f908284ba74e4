#include "btm/train/job_check.h"

#include <cmath>
#include <limits>
#include <set>

#include "btm/core/error.h"
#include "btm/train/external_trainer.h"

namespace btm {
namespace {

// Files of the run are named by them.
void check_domains(const std::vector<TrainingData>& data) {
  std::set<std::string> seen;
  for (const TrainingData& each : data) {
    if (seen.insert(each.domain).second) continue;
    throw input_error(
        "data: '{}' is there twice ({}); a domain is called as the last part of its folder's path, so "
        "give one folder another name",
        each.domain, each.folder);
  }
}

}  // namespace

void check_training(const TrainingSettings& s, const std::string& where) {
  auto check = [&where](const char* key, auto value, bool holds, const char* expected) {
    if (!holds) throw input_error("{}.{} is {}, expected {}", where, key, value, expected);
  };
  // An update computes with floats: none of these may become 0 or infinite.
  auto is_float = [](double value) { return std::isnormal(static_cast<float>(value)); };
  check("batch_tokens", s.batch_tokens, s.batch_tokens > 0, "at least 1");
  check("learning_rate", s.learning_rate, s.learning_rate > 0 && is_float(s.learning_rate),
        "more than 0, as a 32-bit float, too");
  check("final_learning_rate", s.final_learning_rate, s.final_learning_rate >= 0 && s.final_learning_rate <= 1,
        "a share of the peak, from 0 to 1");
  check("warmup", s.warmup, s.warmup >= 0 && s.warmup <= 1, "a share of all updates, from 0 to 1");
  check("power", s.power, s.power > 0, "more than 0");
  check("weight_decay", s.weight_decay, s.weight_decay == 0 || (s.weight_decay > 0 && is_float(s.weight_decay)),
        "0 or more, as a 32-bit float, too");
  check("beta1", s.beta1, s.beta1 >= 0 && s.beta1 < 1, "from 0 to below 1");
  check("beta2", s.beta2, s.beta2 >= 0 && s.beta2 < 1, "from 0 to below 1");
  check("epsilon", s.epsilon, s.epsilon > 0 && is_float(s.epsilon), "more than 0, as a 32-bit float, too");
  check("clip", s.clip, s.clip >= 0, "0 (none) or more");
  check("dev_every", s.dev_every, s.dev_every >= 0, "0 (chosen) or more");
  check("dev_tokens", s.dev_tokens, s.dev_tokens > 0, "at least 1");
  check("checkpoint_minutes", s.checkpoint_minutes, s.checkpoint_minutes >= 0, "0 (each update) or more");
  check("keep_checkpoints", s.keep_checkpoints, s.keep_checkpoints > 0, "at least 1");
}

void check_job(const TrainingJob& job) {
  check_training(job.training, "training");
  if (job.threads < 1) throw input_error("threads is {}, expected at least 1", job.threads);
  if (job.gpu_share < 1 || job.gpu_share > 100) throw input_error("gpu_share is {}, expected 1 to 100", job.gpu_share);
  if (job.data.empty()) throw input_error("data names no domain to train on");
  check_domains(job.data);
  if (job.first_round < 0) throw input_error("first_round is {}, expected 0 or more", job.first_round);
  if (job.part < 0 || job.part >= job.parts) throw input_error("part is {}, expected 0 to {}", job.part, job.parts - 1);
  check_updates(job.tokens, job.training, job.model.context, "");
  if (job.trainer.empty()) return;
  check_trainer_command(job.trainer);
  if (job.demix || job.parts > 1) {
    throw input_error("trainer is set, but {} is for btm's own training alone", job.demix ? "demix" : "a part of data");
  }
}

void check_batch(const TrainingSettings& training, int context, const std::string& where) {
  if (training.batch_tokens < context) {
    throw input_error("{}training.batch_tokens is {}, less than one sequence of {} tokens (model.context); raise it",
                      where, training.batch_tokens, context);
  }
  if (training.batch_tokens / context > std::numeric_limits<int>::max()) {
    throw input_error("{}training.batch_tokens is {}: {} sequences of {} (model.context) are too many for one update",
                      where, training.batch_tokens, training.batch_tokens / context, context);
  }
}

void check_updates(std::int64_t tokens, const TrainingSettings& training, int context, const std::string& where) {
  check_batch(training, context, where);
  if (tokens < training.batch_tokens / context * context) {
    throw input_error("{}tokens is {}, less than one update of {} (training.batch_tokens); raise it or lower the batch",
                      where, tokens, training.batch_tokens);
  }
}

}  // namespace btm
