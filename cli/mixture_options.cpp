#include "cli/mixture_options.h"

#include "btm/data/utf8.h"

namespace btm {

void MixtureOptions::add(Command& command) {
  command.add_option("--domain", domain_, "Domain whose dev sample sets the prior").type_name("NAME");
  command
      .add_option("--prior", prior_,
                  "uniform, updating, cached or fitted (these two with --domain); default: fitted with --domain, else "
                  "uniform")
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

DomainSample MixtureOptions::sample() const {
  DomainSample sample;
  sample.domain = domain_;
  return sample;
}

std::string colour(std::size_t expert) {
  constexpr int kColours[] = {39, 208, 41, 205, 220, 141, 203, 51, 106, 180};  // of the 256, apart from each other
  return fmt::format("\033[38;5;{}m", kColours[expert % std::size(kColours)]);
}

std::string harmless(std::string text) {
  repair_utf8(text);
  std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t'; });
  return text;
}

}  // namespace btm
