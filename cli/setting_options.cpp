#include "cli/setting_options.h"

#include <algorithm>

#include "btm/core/format.h"

namespace btm {
namespace {

std::string joined(const Json& words) {
  std::string text;
  for (const Json& word : words) text += (text.empty() ? "" : ",") + word.get<std::string>();
  return text;
}

}  // namespace

void SettingOptions::add(Command& command, const std::string& group, const std::vector<Field>& fields) {
  for (const Field& field : fields) {
    const std::string name(field.key);
    std::string option = "--" + name;
    std::ranges::replace(option, '_', '-');
    const Json shown = field.kind->json(field.value);
    if (shown.is_object()) continue;
    // The nodes share their tree with given_.
    auto take = [node = given_, name, is_list = shown.is_array()](const std::string& word) mutable {
      if (!is_list) {
        node[name] = word;
        return;
      }
      for (const std::string& part : split_list(word)) node[name].push_back(part);
    };
    command.add_option_function(option, take, std::string(field.help))
        .group(group)
        .type_name(field.kind->is_number() ? "NUMBER"
                   : shown.is_array()      ? "NAME,..."
                                           : "NAME")
        .default_str(shown.is_array()    ? joined(shown)
                     : shown.is_string() ? shown.get<std::string>()
                                         : shown.dump());
  }
}

}  // namespace btm
