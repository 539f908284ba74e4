#include "cli/mixture_options.h"

#include "btm/plan/scoring_place.h"

namespace btm {

void MixtureOptions::add(Command& command, const std::string& priors) {
  command.add_option("--domain", domain_, "Domain whose dev sample sets the prior").type_name("NAME");
  command
      .add_option("--prior", prior_,
                  priors + "cached or fitted (these two with --domain); default: fitted with --domain, else uniform")
      .type_name("NAME");
  command
      .add_option("--forgetting", forgetting_,
                  "g from 0 (last token only) to 1 (exact Bayes); default: fitted chooses, else 1")
      .type_name("G");
}

PriorSettings MixtureOptions::prior() const {
  if (prior_.empty()) return {domain_.empty() ? PriorKind::uniform : PriorKind::fitted, forgetting_};
  return {from_word<PriorKind>("--prior", prior_), forgetting_};
}

DomainSample MixtureOptions::sample(const Forest& forest) const {
  return domain_.empty() ? DomainSample{} : dev_sample(forest, domain_);
}

}  // namespace btm
