// Options that say how a mixture weighs its experts, and how a text is shown in the experts' colours.
#pragma once

#include <optional>
#include <string>

#include "btm/mixture/domain_sample.h"
#include "cli/command.h"

namespace btm {

class MixtureOptions {
 public:
  void add(Command& command);
  // Default: fitted on the dev sample of the domain, uniform without one. Throws Error(input) naming the nearest prior.
  PriorSettings prior() const;
  DomainSample sample() const;                                                       // of no domain if none was named
  bool given() const { return !prior_.empty() || !domain_.empty() || forgetting_; }  // any of them

 private:
  std::string prior_, domain_;
  std::optional<double> forgetting_;
};

// The order to a terminal for the colour of the expert of that index, and the one that ends it.
std::string colour(std::size_t expert);
inline constexpr const char* kPlain = "\033[0m";

// The text without what would be an order to the terminal; invalid UTF-8 is replaced.
std::string harmless(std::string text);

}  // namespace btm
