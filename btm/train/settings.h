// How a model is trained.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "btm/core/settings.h"
#include "btm/model/kernels/gemm.h"

namespace btm {

enum class ScheduleKind { constant, linear, cosine, polynomial };
inline std::array<std::pair<ScheduleKind, std::string_view>, 4> names(ScheduleKind) {
  return {{{ScheduleKind::constant, "constant"},
           {ScheduleKind::linear, "linear"},
           {ScheduleKind::cosine, "cosine"},
           {ScheduleKind::polynomial, "polynomial"}}};
}

enum class Precision { automatic, fp32, bf16, int16 };
inline std::array<std::pair<Precision, std::string_view>, 4> names(Precision) {
  return {{{Precision::automatic, "auto"},
           {Precision::fp32, "fp32"},
           {Precision::bf16, "bf16"},
           {Precision::int16, "int16"}}};
}

inline Precision precision_of(Operands operands) {
  switch (operands) {
    case Operands::bf16:
      return Precision::bf16;
    case Operands::int16:
      return Precision::int16;
    case Operands::fp32:
      break;
  }
  return Precision::fp32;
}

inline Operands operands_of(Precision precision) {
  switch (precision) {
    case Precision::automatic:
      return fastest_operands();
    case Precision::bf16:
      return Operands::bf16;
    case Precision::int16:
      return Operands::int16;
    case Precision::fp32:
      break;
  }
  return Operands::fp32;
}

struct TrainingSettings {
  std::int64_t batch_tokens = 8192;
  double learning_rate = 2e-3;
  double final_learning_rate = 0.1;
  double warmup = 0.08;
  ScheduleKind schedule = ScheduleKind::cosine;
  double power = 1;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double clip = 1.0;
  Precision precision = Precision::automatic;
  bool recompute = false;
  std::int64_t random_seed = 1;
  int dev_every = 0;
  std::int64_t dev_tokens = 16384;
  double checkpoint_minutes = 5;
  int keep_checkpoints = 2;
};

// What says when something is measured or saved, or how much memory is spent, but changes no weights.
inline constexpr std::array<const char*, 5> kWithoutEffectOnWeights = {"recompute", "dev_every", "dev_tokens",
                                                                       "checkpoint_minutes", "keep_checkpoints"};

// So many seconds after the last one, or after the start.
inline bool checkpoint_due(const TrainingSettings& training, double seconds) {
  return seconds >= 60 * training.checkpoint_minutes;
}

template <class F>
void visit(TrainingSettings& s, F&& f) {
  f("batch_tokens", s.batch_tokens, "tokens per update; rounded down to whole sequences");
  f("learning_rate", s.learning_rate, "peak, reached after the warm-up");
  f("final_learning_rate", s.final_learning_rate, "at the end, as a share of the peak");
  f("warmup", s.warmup, "linear warm-up, as a share of all updates");
  f("schedule", s.schedule, "after the warm-up: constant, linear, cosine or polynomial");
  f("power", s.power, "of the polynomial schedule");
  f("weight_decay", s.weight_decay, "AdamW's decoupled decay, on matrices and embeddings");
  f("beta1", s.beta1, "AdamW: decay of the gradient's mean");
  f("beta2", s.beta2, "AdamW: decay of the gradient's square");
  f("epsilon", s.epsilon, "AdamW: added to the root of the square");
  f("clip", s.clip, "largest norm of the gradient; 0: no clipping");
  f("precision", s.precision,
    "number format of matrix products (weights and sums stay fp32): fp32, bf16, int16 (with a scale for every 128 "
    "numbers; faster than fp32 on CPUs with AVX2 alone), or auto: bf16 where it is twice as fast, else fp32");
  f("recompute", s.recompute,
    "keep only the blocks' inputs for the backward pass and compute the rest again: less memory, a sixth more time");
  f("random_seed", s.random_seed, "of the initial weights and of the order of the data");
  f("dev_every", s.dev_every,
    "updates between two dev losses; 0: ten times in all, or fewer if they cost over 5 % of the training");
  f("dev_tokens", s.dev_tokens, "dev tokens per domain for such a loss");
  f("checkpoint_minutes", s.checkpoint_minutes, "between two checkpoints; one is also written on SIGTERM and SIGINT");
  f("keep_checkpoints", s.keep_checkpoints, "older ones are deleted");
}

}  // namespace btm
