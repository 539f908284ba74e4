// What training is said to take of memory and disk, against the sum of its parts.
#include "btm/plan/room.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "btm/core/cores.h"
#include "btm/core/files.h"
#include "btm/model/demix.h"
#include "btm/plan/launch/workers.h"
#include "btm/train/score.h"
#include "btm/train/thread_learner.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

constexpr double kProcess = 40e6;  // of each rank, see room.cpp

ModelConfig model_of(int vocabulary) {
  ModelConfig config;
  config.layers = 2;
  config.width = 64;
  config.heads = 2;
  config.context = 32;
  config.vocab_size = vocabulary;
  return resolve(config);
}

const ModelConfig kModel = model_of(1000);

ModelTask task_of(int sequences) {
  ModelTask task;
  task.domains = {"a"};
  task.training.batch_tokens = sequences * kModel.context;
  task.training.precision = Precision::fp32;
  task.training.recompute = true;  // without packed weights
  return task;
}

ModelTask demix_task(int domains) {
  ModelTask task = task_of(8);
  task.demix = true;
  task.domains.clear();
  for (int i = 0; i < domains; ++i) task.domains.push_back(std::to_string(i));
  return task;
}

LauncherSettings launcher_of(int workers, int ranks, int threads) {
  LauncherSettings launcher;
  launcher.device = Device::cpu;
  launcher.workers = workers;
  launcher.ranks = ranks;
  launcher.threads = threads;
  return launcher;
}

TrainingGroup group_of(const std::vector<ModelTask>& tasks, const LauncherSettings& launcher = launcher_of(1, 1, 1),
                       const ModelConfig& model = kModel) {
  return training_group(tasks, model, launcher, 0);
}

double memory_of(const ModelTask& task, int ranks, int threads) {
  return group_of({task}, launcher_of(1, ranks, threads)).memory.host;
}

double weights_bytes() {
  return 4.0 * static_cast<double>(parameter_count(kModel));
}

TEST(TrainingGroup, EachRankTakesTheMemoryOfAProcess) {
  // A batch of twice the sequences leaves each of two ranks as many as one has of the whole.
  EXPECT_DOUBLE_EQ(memory_of(task_of(16), 2, 1), 2 * memory_of(task_of(8), 1, 1));
  EXPECT_DOUBLE_EQ(memory_of(task_of(16), 2, 2), 2 * memory_of(task_of(8), 1, 2));
  EXPECT_DOUBLE_EQ(memory_of(task_of(24), 3, 1), 3 * memory_of(task_of(8), 1, 1));
  // Of as many threads in all, two ranks have the program, the weights and both moments twice, the replicas once.
  EXPECT_DOUBLE_EQ(memory_of(task_of(8), 2, 1) - memory_of(task_of(8), 1, 2), kProcess + 3 * weights_bytes());
}

TEST(TrainingGroup, CountsTheBuffersThatScoringTakes) {
  const ModelTask task = task_of(8);
  for (const int vocabulary : {1000, 30'000}) {
    const ModelConfig model = model_of(vocabulary);
    for (const int threads : {1, 3}) {
      const double rest = kProcess + static_cast<double>(ThreadLearner::bytes(model, task.training, 8, threads, 1));
      EXPECT_DOUBLE_EQ(group_of({task}, launcher_of(1, 1, threads), model).memory.host - rest,
                       static_cast<double>(Scorer::bytes(model, model.context, threads)))
          << vocabulary;
    }
  }
  // Its logits alone, of a window for each thread.
  EXPECT_GT(Scorer::bytes(model_of(30'000), kModel.context, 3) - Scorer::bytes(model_of(1000), kModel.context, 3),
            std::size_t{3 * 29'000 * 4} * static_cast<std::size_t>(kModel.context));
}

// Weights, two moments and gradients, and in float32 both packed forms, of a model that two threads train together.
TEST(TrainingGroup, CountsWhatLargeModelsTake) {
  ModelConfig model = model_of(50'257);
  model.layers = 48;
  model.width = 1600;
  model.heads = model.kv_heads = 25;
  model.hidden = 4 * model.width;
  ModelTask task = task_of(8);
  const double weights = 4.0 * static_cast<double>(parameter_count(model));
  const double recomputing = group_of({task}, launcher_of(1, 1, 2), model).memory.host;
  EXPECT_GT(recomputing, 4 * weights);
  EXPECT_LT(recomputing, 4.5 * weights);
  task.training.recompute = false;
  const double plain = group_of({task}, launcher_of(1, 1, 2), model).memory.host;
  EXPECT_GT(plain, 5.5 * weights);
  EXPECT_LT(plain, 6.5 * weights);
}

TEST(TrainingGroup, DemixPublishesAModelForEachDomain) {
  EXPECT_DOUBLE_EQ(group_of({task_of(8)}).model_bytes, weights_bytes());
  EXPECT_DOUBLE_EQ(group_of({demix_task(5)}).model_bytes, 5 * weights_bytes());
  EXPECT_DOUBLE_EQ(group_of({task_of(8), demix_task(5), task_of(8)}).model_bytes, 7 * weights_bytes());
}

TEST(TrainingGroup, CheckpointsHoldWeightsAndMomentsOfThoseAtWork) {
  ModelTask task = task_of(8);
  task.training.keep_checkpoints = 4;  // and the new one
  const std::vector<ModelTask> three(3, task);
  EXPECT_DOUBLE_EQ(group_of(three, launcher_of(2, 1, 1)).checkpoint_bytes, 2 * 5 * 3 * weights_bytes());
  EXPECT_DOUBLE_EQ(group_of(three, launcher_of(8, 1, 1)).checkpoint_bytes, 3 * 5 * 3 * weights_bytes());
  // Of DEMix all that is trained, which shares more than it publishes.
  const double own = 4.0 * static_cast<double>(feed_forward_parameters(kModel));
  EXPECT_DOUBLE_EQ(group_of({demix_task(5)}).checkpoint_bytes, 3 * 3 * (weights_bytes() + 4 * own));
}

TEST(TrainingGroup, CoresAreSplitAmongThoseThatCountTogether) {
  LauncherSettings launcher;  // of threads as many as there are cores for each
  launcher.device = Device::cpu;
  const ModelTask task = task_of(8);
  for (const std::size_t together : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{100}}) {
    const WorkerShare share = training_group({task}, kModel, launcher, together).share;
    EXPECT_EQ(share.workers, 1) << "one is left to be trained";
    EXPECT_EQ(share.threads, usable_cores() / std::clamp(static_cast<int>(together), 1, usable_cores()));
  }
  EXPECT_EQ(training_group({task, task, task}, kModel, launcher, 2).share.threads,
            usable_cores() / std::min(3, usable_cores()));
}

TEST(ShareOf, RanksOfAModelShareTheCores) {
  LauncherSettings launcher;
  launcher.device = Device::cpu;
  launcher.ranks = 2;
  EXPECT_EQ(share_of(launcher, Precision::fp32, 1).threads, std::max(1, usable_cores() / 2));
  EXPECT_EQ(share_of(launcher, Precision::fp32, 100).workers, std::max(1, usable_cores() / 2));
}

// The disk has room for `more` bytes beyond what is free if the runs that are gone on with take as many.
TEST(Room, WhatRunsTakeOfTheDiskIsRoomForThem) {
  test::TemporaryFolder folder;
  const ForestPaths forest{folder.path() / "forest"};
  const double more = 1e9, needed = static_cast<double>(std::filesystem::space(folder.path()).available) + more;
  EXPECT_THROW(require_disk(forest, needed), Error);
  const std::filesystem::path file = forest.run("a") / "checkpoints" / "1" / "parameters.bin";
  std::filesystem::create_directories(file.parent_path());
  write_file(file, "");
  std::filesystem::resize_file(file, static_cast<std::uintmax_t>(1e11));  // a hole
  EXPECT_NO_THROW(require_disk(forest, needed));
  EXPECT_THROW(require_disk(forest, 1e15), Error);
}

}  // namespace
}  // namespace btm
