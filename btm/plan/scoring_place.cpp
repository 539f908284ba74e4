#include "btm/plan/scoring_place.h"

#include "btm/core/cores.h"
#include "btm/core/files.h"

namespace btm {

ScoringPlace scoring_place(const Plan& plan) {
  const Device device = plan.launcher.device == Device::cpu ? Device::cpu : Device::automatic;
  return {device, usable_cores(), plan.training.precision};
}

ScoringPlace scoring_place(const Forest& forest, int threads) {
  ScoringPlace place{Device::automatic, threads, Precision::automatic};
  if (!fs::exists(forest.paths.plan())) return place;
  place = scoring_place(load_recorded_plan(forest.paths));
  place.threads = threads;
  return place;
}

DomainSample dev_sample(const Forest& forest, const std::string& domain) {
  DomainSample sample{domain};
  if (fs::exists(forest.paths.plan())) sample.sequences = load_recorded_plan(forest.paths).evaluate.dev_sequences;
  return sample;
}

}  // namespace btm
