// Options that say how a mixture weighs its experts.
#pragma once

#include <optional>
#include <string>

#include "btm/mixture/domain_sample.h"
#include "cli/command.h"

namespace btm {

class MixtureOptions {
 public:
  void add(Command& command, const std::string& priors);  // those that need no domain, for the help: "uniform, "
  // Default: fitted on the dev sample of the domain, uniform without one. Throws Error(input) naming the nearest prior.
  PriorSettings prior() const;
  DomainSample sample(const Forest& forest) const;                                   // of no domain if none was named
  bool given() const { return !prior_.empty() || !domain_.empty() || forgetting_; }  // any of them

 private:
  std::string prior_, domain_;
  std::optional<double> forgetting_;
};

}  // namespace btm
