#include "btm/mixture/average_loss.h"

#include <algorithm>

#include "btm/core/error.h"
#include "btm/model/weighted_sum.h"

namespace btm {

namespace {

std::vector<Model> load_equals(std::span<const Member> members) {
  std::vector<Model> models;
  for (const Member& member : members) {
    models.push_back(load_member(member));
    if (models.back().parameters.size() != models.front().parameters.size()) {
      throw input_error("{} has {} parameters, {} has {}: unequal shapes can't be averaged", member.name,
                        models.back().parameters.size(), members.front().name, models.front().parameters.size());
    }
  }
  return models;
}

}  // namespace

AverageLoss::AverageLoss(std::span<const Member> members, const Text& sample, int window, const ScoringPlace& place,
                         Transformer::Use use)
    : models_(load_equals(members)), team_(std::max(1, place.threads)), parameters_(models_.front().parameters.size()) {
  if (sample.targets() < window) {
    throw input_error("{}: {} tokens are less than one window of {}", sample.name, sample.targets(), window);
  }
  if (use == Transformer::Use::training) gradient_ = Buffer(parameters_.size());
  loss_ = make_text_loss(models_.front().config, window, sample.tokens, use, place);
}

double AverageLoss::operator()(std::span<const double> weights, std::span<double> gradient) {
  if (!gradient.empty() && gradient_.size() == 0) throw failure("AverageLoss: made for scoring, asked for gradients");
  weighted_sum(models_, weights, team_, parameters_.span());
  const double loss = loss_->of(parameters_.span(), gradient.empty() ? std::span<float>() : gradient_.span());
  if (gradient.empty()) return loss;
  team_.share(models_.size(), [&](std::size_t j) {
    const float* own = models_[j].parameters.data();
    gradient[j] = 0;
    for (std::size_t i = 0; i < gradient_.size(); ++i) gradient[j] += double(gradient_.data()[i]) * own[i];
  });
  return loss;
}

}  // namespace btm
