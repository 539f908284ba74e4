#include "cli/dry_run.h"

#include "btm/core/cores.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/plan/forecast.h"
#include "btm/plan/growable.h"
#include "btm/plan/planned_forest.h"
#include "btm/report/text_table.h"
#include "btm/train/device.h"
#include "btm/train/gemm_peak.h"

namespace btm {
namespace {

// Of the peak of matrix products, what training reaches (docs/benchmarks.md).
constexpr double kTrainingShare = 0.75;
constexpr double kGpuTrainingShare = 0.6;  // of 124M parameters; 10M reach half of that

double training_flops(const Forecast& f, Precision precision) {
  if (largest(f).share.on_gpu) return kGpuTrainingShare * measure_gpu_peak();
  ThreadTeam team(usable_cores());
  return kTrainingShare * measure_gemm_peak(team, operands_of(precision));
}

Json forecast_json(const Forecast& f, double seconds) {
  const ForecastStep all = sum_of(f.steps);
  const TrainingGroup most = largest(f);
  Json json = {{"model", settings_json(f.model)},
               {"parameters", parameter_count(f.model)},
               {"tokens", all.tokens},
               {"flops", all.flops},
               {"workers", most.share.workers},
               {"threads", most.share.threads * most.ranks},
               {"memory_bytes", most.memory.host},
               {"gpu_memory_bytes", most.memory.gpu},
               {"disk_bytes", model_bytes(f) + checkpoint_bytes(f)},
               {"seconds", seconds},
               {"steps", Json::array()}};
  for (const ForecastStep& step : f.steps) {
    json["steps"].push_back({{"name", step.name},
                             {"models", step.models},
                             {"tokens", step.tokens},
                             {"updates", step.updates},
                             {"flops", step.flops}});
  }
  return json;
}

std::string steps_table(const Forecast& f) {
  TextTable table{{{"to train", Align::left}, {"models"}, {"tokens"}, {"updates"}, {"FLOPs"}}, {}};
  auto add = [&table](const ForecastStep& step) {
    table.rows.push_back({step.name, std::to_string(step.models), format_count(static_cast<double>(step.tokens)),
                          format_count(static_cast<double>(step.updates)), format_count(step.flops)});
  };
  for (const ForecastStep& step : f.steps) add(step);
  table.rows.emplace_back();
  add(sum_of(f.steps));
  return to_text(table);
}

void print(const Forecast& f, double seconds, double speed) {
  fmt::print("{} layers, width {}, {} heads, context {}, vocabulary {}: {} parameters\n\n{}\n", f.model.layers,
             f.model.width, f.model.heads, f.model.context, f.model.vocab_size,
             format_count(static_cast<double>(parameter_count(f.model))), steps_table(f));
  const TrainingGroup most = largest(f);
  fmt::print("memory  {}B for each model in training, up to {} at once\n", format_count(most.memory.host),
             most.share.workers);
  if (most.share.on_gpu) fmt::print("GPU     {}B of its memory for each\n", format_count(most.memory.gpu));
  fmt::print("disk    {}B of models, {}B of checkpoints; text and tokens besides\n", format_count(model_bytes(f)),
             format_count(checkpoint_bytes(f)));
  const std::string where =
      most.share.on_gpu ? "one GPU like this" : fmt::format("{} cores like these", usable_cores());
  fmt::print("time    {} of training on {}, at {}FLOP/s\n", format_duration(seconds), where, format_count(speed));
}

}  // namespace

void dry_run(const Plan& plan, bool json) {
  check_growable(plan);
  check_published(plan);
  const Forecast f = forecast(plan, planned_model(plan), forest_so_far({plan.forest}));
  const double speed = training_flops(f, plan.training.precision), seconds = sum_of(f.steps).flops / speed;
  if (json) {
    fmt::print("{}\n", forecast_json(f, seconds).dump(2));
  } else {
    print(f, seconds, speed);
  }
  try {
    require_texts(plan);
  } catch (const Error& e) {  // it may be still to come
    log_warning(fmt::format("{}; growing would end there", e.what()));
  }
  require_room(plan, f);
}

}  // namespace btm
