#include "btm/plan/forecast.h"

#include <algorithm>
#include <utility>

#include "btm/core/cores.h"
#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/hash.h"
#include "btm/data/tokenizer.h"
#include "btm/forest/forest.h"
#include "btm/model/demix.h"
#include "btm/plan/comparisons.h"
#include "btm/plan/forest_folder.h"
#include "btm/plan/published.h"
#include "btm/plan/training.h"
#include "btm/train/cuda_learner.h"
#include "btm/train/score.h"
#include "btm/train/thread_learner.h"

namespace btm {
namespace {

constexpr double kProcessBytes = 40e6;    // program and libraries, tokens read from mapped files not counted
constexpr double kGpuProcessBytes = 3e9;  // with those of CUDA
constexpr double kCudaBytes = 7e8;        // of the GPU's memory, for itself, its kernels and cuBLAS: an estimate

// The shape with its vocabulary: the plan's, that of a tokenizer that is there, or the one to be trained.
ModelConfig shape_of(const Plan& plan) {
  ModelConfig config = plan.model.config;
  if (config.vocab_size == 0) {
    const fs::path there = ForestPaths{plan.forest}.tokenizer();
    if (fs::exists(there)) {
      config.vocab_size = Tokenizer::load(there).vocab_size();
    } else if (!plan.tokenizer.from.empty()) {
      config.vocab_size = Tokenizer::load(plan.tokenizer.from).vocab_size();
    } else {
      config.vocab_size = plan.tokenizer.vocab_size;
    }
  }
  return resolve(config);
}

// The forest as the plan will have it, as far as comparisons ask.
Forest planned_forest(const Plan& plan, Forest forest) {
  if (!forest.seed) {
    forest.seed.emplace();
    forest.seed->tokens = plan.seed.tokens;
    forest.seed->domains = seed_domains(plan);
  }
  for (const CycleSettings& cycle : plan.cycles) {
    for (const std::string& name : cycle.experts) {
      if (forest.find(name) || was_removed(forest, name)) continue;
      ExpertInfo& expert = forest.experts.emplace_back();
      expert.name = name;
      expert.domains = {name};
      expert.tokens = cycle.tokens;
    }
  }
  return forest;
}

class Forecaster {
 public:
  explicit Forecaster(const Plan& plan) : plan_(plan), paths_{plan.forest} { result_.model = shape_of(plan); }

  Forecast work() {
    check_fits();
    forest_ = forest_so_far(paths_);
    ModelTask seed;
    seed.tokens = plan_.seed.tokens;
    seed.training = plan_.seed.training;
    add("seed", {seed}, {paths_.seed()});
    end_group();
    for (const auto [first, last, together] : cycle_groups(plan_)) {
      for (std::size_t i = first; i < last; ++i) add_cycle(i);
      end_group(together);
    }
    const Forest forest = planned_forest(plan_, forest_);
    for (const ComparisonSettings& comparison : plan_.compare) {
      const std::vector<ModelTask> tasks = comparison_tasks(comparison, forest, result_.model.context);
      std::vector<fs::path> folders;
      folders.reserve(tasks.size());
      for (const ModelTask& task : tasks) folders.push_back(first_model_folder(paths_, task));
      add(comparison_name(comparison), tasks, folders);
    }
    end_group();
    return std::move(result_);
  }

 private:
  // As growing would, as far as it can be told without reading text.
  void check_fits() const {
    require_forest_folder(paths_);
    check_parents(plan_);
    if (!is_published(paths_.seed())) return;
    ForestBase base{
        paths_, result_.model, sha256_file(paths_.tokenizer() / "tokenizer.json"), {}, plan_.trainer.command};
    const std::vector<std::string> seeds = load_expert(paths_.seed()).domains;
    for (const auto& [name, domain] : plan_.domains) {
      const bool there = fs::exists(paths_.tokens(name));
      const bool used = std::ranges::find(seeds, name) != seeds.end() || is_published(paths_.expert(name));
      if (!there && used) return;  // they are made anew, and then compared
      if (there) {
        base.domains.push_back(load_domain_report(paths_.tokens(name)));
      } else {
        base.domains.emplace_back().name = name;
      }
    }
    check_published(plan_, base);
  }

  void add_cycle(std::size_t index) {
    std::vector<ModelTask> tasks;
    std::vector<fs::path> folders;
    for (const std::string& name : plan_.cycles[index].experts) {
      if (was_removed(forest_, name)) continue;
      tasks.push_back(expert_task(plan_, index, name));
      folders.push_back(paths_.expert(name));
    }
    add(fmt::format("cycle {}", index + 1), tasks, folders);
  }

  // Those of the tasks whose model is not in its folder.
  void add(const std::string& name, const std::vector<ModelTask>& tasks, const std::vector<fs::path>& folders) {
    ForecastStep step{name, 0, 0, 0, 0};
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (is_published(folders[i]) || tasks[i].tokens == 0) continue;
      const TrainingResult result = planned(tasks[i]);
      ++step.models;
      step.tokens += result.tokens;
      step.updates += result.updates;
      step.flops += result.flops;
      result_.disk_bytes += model_bytes(tasks[i], result_.model);
      group_.push_back(tasks[i]);
    }
    result_.steps.push_back(std::move(step));
  }

  TrainingResult planned(const ModelTask& task) const {
    TrainingJob job;
    job.model = result_.model;
    job.training = task.training;
    job.tokens = task.tokens;
    return planned_result(job);
  }

  // What was added since the last call is trained in one go; `together` as for Training::train.
  void end_group(std::size_t together = 0) {
    const std::vector<ModelTask> tasks = std::exchange(group_, {});
    if (tasks.empty()) return;
    const auto models = static_cast<int>(tasks.size());
    WorkerShare share =
        share_of(plan_.launcher, tasks.front().training.precision, std::max(models, static_cast<int>(together)));
    share.workers = std::min(share.workers, models);
    ForecastGroup group{
        share.workers, share.threads * plan_.launcher.ranks, share.on_gpu, tasks.front().training.recompute, {}, 0};
    for (const ModelTask& task : tasks) {
      const TrainingMemory memory = training_memory(task, result_.model, share, plan_.launcher.ranks);
      group.memory = {std::max(group.memory.host, memory.host), std::max(group.memory.gpu, memory.gpu)};
      group.checkpoint_bytes = std::max(group.checkpoint_bytes, share.workers * checkpoint_bytes(task, result_.model));
    }
    result_.groups.push_back(group);
  }

  const Plan& plan_;
  ForestPaths paths_;
  Forest forest_;                 // as it is
  std::vector<ModelTask> group_;  // to be trained in one go
  Forecast result_;
};

double parameters_of(const ModelTask& task, const ModelConfig& model) {
  if (!task.demix) return static_cast<double>(parameter_count(model));
  return static_cast<double>(DemixLayout(model, static_cast<int>(task.domains.size())).size);
}

}  // namespace

TrainingMemory training_memory(const ModelTask& task, const ModelConfig& model, const WorkerShare& share, int ranks) {
  const int threads = share.threads;
  const int sequences = std::max(1, static_cast<int>(task.training.batch_tokens / model.context));
  const double more = parameters_of(task, model) - static_cast<double>(parameter_count(model));  // of DEMix
  if (share.on_gpu) {
    const int domains = task.demix ? static_cast<int>(task.domains.size()) : 1;
    const auto plain = static_cast<double>(cuda_learner_bytes(model, task.training, sequences, ranks, domains));
    return {ranks * (kGpuProcessBytes + 3 * parameters_of(task, model) * sizeof(float)),  // what checkpoints hold
            kCudaBytes + plain + more * kCudaBytesPerParameter};
  }
  const auto plain =
      static_cast<double>(ThreadLearner::bytes(model, task.training, sequences, threads, threads * ranks));
  const Operands operands = operands_of(task.training.precision);
  const auto scoring = static_cast<double>(Scorer::bytes(model, model.context, threads, operands));  // of dev losses
  return {ranks * (kProcessBytes + plain + scoring + more * sizeof(float) * (5 + threads))};  // packed, too, at most
}

double model_bytes(const ModelTask& task, const ModelConfig& model) {
  const double models = task.demix ? static_cast<double>(task.domains.size()) : 1;
  return models * static_cast<double>(parameter_count(model)) * sizeof(float);
}

double checkpoint_bytes(const ModelTask& task, const ModelConfig& model) {
  const int kept = task.training.keep_checkpoints + 1;           // the new one is written before the oldest goes
  return kept * 3 * parameters_of(task, model) * sizeof(float);  // weights and two moments
}

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

ForecastGroup largest(const Forecast& forecast) {
  if (forecast.groups.empty()) return {};
  return std::ranges::max(forecast.groups, {}, [](const ForecastGroup& group) {
    return group.workers * (group.on_gpu ? group.memory.gpu : group.memory.host);
  });
}

Forecast forecast(const Plan& plan) {
  return Forecaster(plan).work();
}

void require_memory(const TrainingMemory& each, int workers, int ranks, bool recompute) {
  const auto require = [recompute](int models, double bytes, double there, const char* whose) {
    if (models * bytes <= there) return;
    throw input_error("training {} model{} at once takes {}B each, and {} has {}B of memory; {}{}a smaller model",
                      models, models == 1 ? "" : "s", format_count(bytes), whose, format_count(there),
                      models > 1 ? "lower launcher.workers, " : "",
                      recompute ? "take " : "set training.recompute, or take ");
  };
  require(workers, each.host, memory_bytes(), "this machine");
  if (each.gpu == 0) return;
  const Gpu gpu = find_gpu().value_or(Gpu{});
  require((workers * ranks + gpu.count - 1) / gpu.count, each.gpu, gpu.memory_bytes, "its GPU");
}

void require_memory(const Forecast& forecast, int ranks) {
  for (const ForecastGroup& group : forecast.groups) {
    require_memory(group.memory, group.workers, ranks, group.recompute);
  }
}

void require_disk(const fs::path& folder, double bytes) {
  fs::path there = fs::absolute(folder);
  while (!fs::exists(there)) there = there.parent_path();
  std::error_code unknown;
  const fs::space_info space = fs::space(there, unknown);
  if (unknown || bytes <= static_cast<double>(space.available)) return;
  throw input_error("{}: models and checkpoints take {}B, and {}B are free there; free some or choose another folder",
                    folder.string(), format_count(bytes), format_count(static_cast<double>(space.available)));
}

}  // namespace btm
