#include "cli/generate_display.h"

#include "btm/core/settings.h"
#include "btm/core/terminal.h"
#include "cli/expert_colours.h"
#include "cli/output.h"

namespace btm {
namespace {

Json to_json(const GenerateChoice& choice, const std::string& prompt, const Generation& out,
             const GenerateDisplayOptions& options) {
  Json json = {
      {"model", choice.name}, {"prompt", prompt}, {"text", out.text}, {"tokens", Json::array()}, {"ended", out.reason}};
  for (const GeneratedToken& token : out.tokens) json["tokens"].push_back(token.id);
  if (choice.members.size() > 1) {
    for (std::size_t j = 0; j < choice.members.size(); ++j)
      json["posterior"][choice.members[j].name] = out.posterior[j];
  }
  for (const GeneratedToken& token : out.tokens) {
    if (!options.show_experts) break;
    json["experts"].push_back(
        {{"expert", choice.members[static_cast<std::size_t>(token.expert)].name}, {"weight", token.weight}});
  }
  return json;
}

}  // namespace

GenerateDisplay::GenerateDisplay(const GenerateDisplayOptions& options, const GenerateChoice& choice,
                                 const std::vector<std::string>& prompts)
    : options_(options),
      choice_(choice),
      prompts_(prompts),
      streams_(!options.json && prompts.size() == 1),
      colours_(options.show_experts && streams_ && shows_colours(stdout)),
      ended_(prompts.size()) {
  if (colours_) {
    std::vector<std::string> names;
    for (const Member& member : choice.members) names.push_back(member.name);
    write_out(colour_key(names) + "\n\n");
  }
  if (streams_) begin(0);
}

void GenerateDisplay::add(std::string_view text, int expert) {
  if (!streams_) return;
  write_out(colours_ ? painted(std::string(text), static_cast<std::size_t>(expert)) : text);
}

void GenerateDisplay::take(std::size_t index, const Generation& out) {
  ended_[index] = &out;
  for (; shown_ < ended_.size() && ended_[shown_]; ++shown_) show_whole(shown_, *ended_[shown_]);
}

void GenerateDisplay::show_whole(std::size_t index, const Generation& out) {
  if (options_.json) return write_out(to_json(choice_, prompts_[index], out, options_).dump() + "\n");
  if (!streams_) {
    begin(index);
    write_out(out.text);
  }
  write_out(index + 1 < ended_.size() ? "\n\n" : "\n");
  if (options_.show_experts && !colours_) list_experts(out);
}

void GenerateDisplay::begin(std::size_t prompt) {
  if (!options_.only_new) write_out(prompts_[prompt]);
}

void GenerateDisplay::list_experts(const Generation& out) const {
  TokenTable table(choice_.tokenizer);
  for (const GeneratedToken& token : out.tokens) {
    table.add(token.id, choice_.members[static_cast<std::size_t>(token.expert)].name, token.weight);
  }
  write_out("\n" + table.text());
}

}  // namespace btm
