// What an update of the weights tells.
#pragma once

namespace btm {

struct UpdateReport {
  double loss = 0;  // nats per token, mean over the batch, before the update
  double learning_rate = 0;
  double gradient_norm = 0;  // before clipping
};
template <class F>
void visit(UpdateReport& s, F&& f) {
  f("loss", s.loss, "nats per token");
  f("learning_rate", s.learning_rate, "of the update");
  f("gradient_norm", s.gradient_norm, "before clipping");
}

}  // namespace btm
