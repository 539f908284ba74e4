#include "btm/train/learner.h"

#include "btm/train/cuda_learner.h"
#include "btm/train/thread_learner.h"

namespace btm {

std::unique_ptr<Learner> make_learner(Model& model, const TrainingSettings& settings, const LearnerOptions& options,
                                      ThreadTeam& team, const Ranks& ranks, const DemixLayout* demix) {
  if (options.device == Device::cuda) {
    return make_cuda_learner(model, settings, options.sequences, options.updates, ranks, demix);
  }
  return std::make_unique<ThreadLearner>(model, settings, options.sequences, options.updates, team, ranks, demix);
}

}  // namespace btm
