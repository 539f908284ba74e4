// How `btm generate` shows its text: streamed, coloured by expert, or as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "btm/mixture/generate.h"
#include "cli/generate_choice.h"

namespace btm {

struct GenerateDisplayOptions {
  bool json = false, only_new = false, show_experts = false;
};

// Shows the text of a single prompt while it grows, that of several when all are done. Keeps references.
class GenerateDisplay {
 public:
  GenerateDisplay(const GenerateDisplayOptions& options, const GenerateChoice& choice,
                  const std::vector<std::string>& prompts);
  void add(std::string_view text, int expert);
  void finish(const std::vector<Generation>& results);

 private:
  void begin(std::size_t prompt);
  std::string painted(std::string text, int expert) const;
  void list_experts(const Generation& out) const;

  const GenerateDisplayOptions& options_;
  const GenerateChoice& choice_;
  const std::vector<std::string>& prompts_;
  bool streams_, colours_;
};

}  // namespace btm
