#include "btm/plan/forecast.h"

#include <algorithm>

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
Forest planned_forest(const Plan& plan) {
  Forest forest;
  forest.paths = {plan.forest};
  forest.seed.emplace();
  forest.seed->tokens = plan.seed.tokens;
  forest.seed->domains = domains_of_role(plan, Role::train);
  for (const CycleSettings& cycle : plan.cycles) {
    for (const std::string& name : cycle.experts) {
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
    ModelTask seed;
    seed.tokens = plan_.seed.tokens;
    seed.training = plan_.seed.training;
    add("seed", {seed}, {paths_.seed()});
    for (std::size_t i = 0; i < plan_.cycles.size(); ++i) add_cycle(i);
    const Forest forest = planned_forest(plan_);
    for (const ComparisonSettings& comparison : plan_.compare) {
      const std::vector<ModelTask> tasks = comparison_tasks(comparison, forest, result_.model.context);
      std::vector<fs::path> folders;
      folders.reserve(tasks.size());
      for (const ModelTask& task : tasks) folders.push_back(first_model_folder(paths_, task));
      add(comparison_name(comparison), tasks, folders);
    }
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
      ++step.models;
      step.tokens += tasks[i].tokens;
      step.updates += tasks[i].tokens / std::max<std::int64_t>(1, tasks[i].training.batch_tokens);
      result_.disk_bytes += model_bytes(tasks[i], result_.model);
    }
    step.flops = 3 * forward_flops_per_token(result_.model) * static_cast<double>(step.tokens);
    if (step.models > 0) take_share(tasks.front(), step.models);
    result_.steps.push_back(std::move(step));
  }

  // The step that takes the most memory and room for checkpoints is the one to tell of.
  void take_share(const ModelTask& task, int models) {
    const WorkerShare share = share_of(plan_.launcher, task.training.precision, models);
    const TrainingMemory memory = training_memory(task, result_.model, share, plan_.launcher.ranks);
    if (share.workers * memory.host <= result_.workers * result_.memory.host) return;
    result_.memory = memory;
    result_.workers = share.workers;
    result_.threads = share.threads * plan_.launcher.ranks;
    result_.on_gpu = share.on_gpu;
    result_.checkpoint_bytes = share.workers * checkpoint_bytes(task, result_.model);
  }

  const Plan& plan_;
  ForestPaths paths_;
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
