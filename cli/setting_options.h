// Options of a command out of the fields of a settings struct: names, help and defaults are listed once, in its visit.
#pragma once

#include <string>
#include <vector>

#include "btm/core/settings.h"
#include "cli/command.h"

namespace btm {

// What the user gave, by the name of the field; read_settings takes it, on top of any values.
class SettingOptions {
 public:
  // Adds --field-name for every field but structs and named lists; a list takes words with commas between.
  template <class T>
  void add(Command& command, const std::string& group) {
    T defaults{};
    add(command, group, fields_of(defaults));
  }

  template <class T>
  void read(T& settings, const std::string& command) const {
    read_settings(given_, settings, command);
  }

 private:
  void add(Command& command, const std::string& group, const std::vector<Field>& fields);

  YAML::Node given_{YAML::NodeType::Map};
};

}  // namespace btm
