// Options of a command out of the fields of a settings struct: names, help and defaults are listed once, in its visit.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>

#include "btm/core/settings.h"

namespace btm {

// What the user gave, by the name of the field; read_settings takes it, on top of any values.
class SettingOptions {
 public:
  // Adds --field-name for every field but lists of structs; a list takes words with commas between.
  template <class T>
  void add(CLI::App& command, const std::string& group) {
    T defaults{};
    visit(defaults, Adder{command, group, given_});
  }

  template <class T>
  void read(T& settings, const std::string& command) const {
    read_settings(given_, settings, command);
  }

 private:
  struct Adder {
    CLI::App& command;
    const std::string& group;
    YAML::Node given;  // shares its tree with given_

    template <class T>
    void operator()(std::string_view key, T& field, std::string_view help) {
      std::string name(key), option = "--" + name;
      std::replace(option.begin(), option.end(), '_', '-');
      auto take = [node = given, name](const std::string& word) mutable {
        if constexpr (settings_detail::IsVector<T>::value) {
          for (const std::string& part : CLI::detail::split(word, ',')) node[name].push_back(part);
        } else {
          node[name] = word;
        }
      };
      Json shown = settings_detail::to_json(field);
      command.add_option_function<std::string>(option, take, std::string(help))
          ->group(group)
          ->trigger_on_parse()
          ->type_name(shown.is_number() || settings_detail::IsOptional<T>::value ? "NUMBER"
                      : shown.is_array()                                         ? "NAME,..."
                                                                                 : "NAME")
          ->default_str(shown.is_array() || shown.is_string() ? joined(shown) : shown.dump());
    }

    static std::string joined(const Json& words) {
      if (words.is_string()) return words.get<std::string>();
      std::string text;
      for (const Json& word : words) text += (text.empty() ? "" : ",") + word.get<std::string>();
      return text;
    }
  };

  YAML::Node given_{YAML::NodeType::Map};
};

}  // namespace btm
