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

// Shows the text of a single prompt while it grows, that of several in their order, each when it and those before it
// are done. Keeps references. Throws Error(failed) when standard output takes no more.
class GenerateDisplay {
 public:
  GenerateDisplay(const GenerateDisplayOptions& options, const GenerateChoice& choice,
                  const std::vector<std::string>& prompts);
  void add(std::string_view text, int expert);
  void take(std::size_t index, const Generation& out);  // which has ended, and stays where it is

 private:
  void show_whole(std::size_t index, const Generation& out);
  void begin(std::size_t prompt);
  void list_experts(const Generation& out) const;

  const GenerateDisplayOptions& options_;
  const GenerateChoice& choice_;
  const std::vector<std::string>& prompts_;
  bool streams_, colours_;
  std::vector<const Generation*> ended_;  // [prompts]
  std::size_t shown_ = 0;
};

}  // namespace btm
