#include "btm/plan/forecast.h"

#include <algorithm>
#include <utility>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/forest/forest.h"
#include "btm/plan/baselines.h"
#include "btm/plan/planned_forest.h"
#include "btm/train/result.h"

namespace btm {
namespace {

class Forecaster {
 public:
  Forecaster(const Plan& plan, const ModelConfig& model, const Forest& forest)
      : plan_(plan), paths_(forest.paths), forest_(forest) {
    result_.model = model;
  }

  Forecast work() {
    ModelTask seed;
    seed.tokens = plan_.seed.tokens;
    seed.training = plan_.seed.training;
    add(kSeedName, is_published(paths_.seed()) ? std::vector<ModelTask>{} : std::vector{seed});
    end_group();
    for (const auto [first, last, together] : cycle_groups(plan_)) {
      for (std::size_t i = first; i < last; ++i) add_cycle(i);
      end_group(together);
    }
    const Forest forest = planned_forest(plan_, forest_, result_.model);
    for (std::size_t i = 0; i < plan_.compare.size(); ++i) add_comparison(i, forest);
    end_group();
    return std::move(result_);
  }

 private:
  void add_comparison(std::size_t index, const Forest& forest) {
    const ComparisonSettings& comparison = plan_.compare[index];
    auto [tasks, outgrown] = comparison_state(comparison, forest, result_.model.context);
    if (!outgrown) std::erase_if(tasks, [this](const ModelTask& task) { return !!published_comparison(paths_, task); });
    for (const ModelTask& task : tasks) {
      if (planned_result(task, result_.model).updates > 0) continue;
      throw input_error("compare[{}].training.batch_tokens is {}, but {} is trained on {} tokens; lower it", index,
                        task.training.batch_tokens,
                        task.kind == task.name ? task.kind : fmt::format("{} of {}", task.name, task.kind),
                        task.tokens);
    }
    add(comparison_name(comparison), tasks);
  }

  void add_cycle(std::size_t index) {
    std::vector<ModelTask> tasks;
    for (const std::string& name : plan_.cycles[index].experts) {
      const bool there = is_published(paths_.expert(name)) || was_removed(forest_, name);
      if (!there) tasks.push_back(expert_task(plan_, index, name));
    }
    add(fmt::format("cycle {}", index + 1), tasks);
  }

  // What is to be trained; a seed without tokens is not.
  void add(const std::string& name, const std::vector<ModelTask>& tasks) {
    ForecastStep step{name, 0, 0, 0, 0};
    for (const ModelTask& task : tasks) {
      if (task.tokens == 0) continue;
      const TrainingResult result = planned_result(task, result_.model);
      ++step.models;
      step.tokens += result.tokens;
      step.updates += result.updates;
      step.flops += result.flops;
      group_.push_back(task);
    }
    result_.steps.push_back(std::move(step));
  }

  // What was added since the last call is trained in one go; `together` as for Training::train.
  void end_group(std::size_t together = 0) {
    const std::vector<ModelTask> tasks = std::exchange(group_, {});
    if (!tasks.empty()) result_.groups.push_back(training_group(tasks, result_.model, plan_.launcher, together));
  }

  const Plan& plan_;
  ForestPaths paths_;
  const Forest& forest_;          // as it is
  std::vector<ModelTask> group_;  // to be trained in one go
  Forecast result_;
};

}  // namespace

ForecastStep sum_of(const std::vector<ForecastStep>& steps) {
  ForecastStep all{"all", 0, 0, 0, 0};
  for (const ForecastStep& step : steps) {
    all.models += step.models;
    all.tokens += step.tokens;
    all.updates += step.updates;
    all.flops += step.flops;
  }
  return all;
}

TrainingGroup largest(const Forecast& forecast) {
  if (forecast.groups.empty()) return {};
  return std::ranges::max(forecast.groups, {}, [](const TrainingGroup& group) {
    return group.share.workers * (group.share.on_gpu ? group.memory.gpu : group.memory.host);
  });
}

double model_bytes(const Forecast& forecast) {
  double sum = 0;
  for (const TrainingGroup& group : forecast.groups) sum += group.model_bytes;
  return sum;
}

double checkpoint_bytes(const Forecast& forecast) {
  double most = 0;
  for (const TrainingGroup& group : forecast.groups) most = std::max(most, group.checkpoint_bytes);
  return most;
}

void require_room(const Plan& plan, const Forecast& forecast) {
  if (plan.launcher.kind == LauncherKind::local) std::ranges::for_each(forecast.groups, require_memory);
  require_disk({plan.forest}, model_bytes(forecast) + checkpoint_bytes(forecast));
}

Forecast forecast(const Plan& plan, const ModelConfig& model, const Forest& forest) {
  return Forecaster(plan, model, forest).work();
}

}  // namespace btm
