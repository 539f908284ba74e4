#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <optional>
#include <vector>

#include "btm/core/cores.h"

namespace btm {

Option& Option::required() {
  option_->required();
  return not_empty();  // an empty folder would be the one that the program was started in
}

Option& Option::not_empty() {
  const auto check = [](const std::string& text) { return std::string(text.empty() ? "must not be empty" : ""); };
  option_->check(CLI::Validator(check, ""));
  return *this;
}

Option& Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::group(const std::string& heading) {
  option_->group(heading);
  return *this;
}

Option& Option::capture_default_str() {
  option_->capture_default_str();
  return *this;
}

Option& Option::default_str(const std::string& value) {
  option_->default_str(value);
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option& Option::one_value() {
  option_->allow_extra_args(false);
  return *this;
}

Option& Option::positive() {
  const auto check = [](const std::string& text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && value >= 1 ? std::string() : "'" + text + "' is not a whole number of at least 1";
  };
  option_->check(CLI::Validator(check, "POSITIVE"));
  return *this;
}

Command::Command(CLI::App& app, const std::string& name, const std::string& description)
    : command_(app.add_subcommand(name, description)) {}

template <class T>
Option Command::add_option(const std::string& names, T& value, const std::string& help) {
  return Option(*command_->add_option(names, value, help));
}

template Option Command::add_option(const std::string&, std::string&, const std::string&);
template Option Command::add_option(const std::string&, std::vector<std::string>&, const std::string&);
template Option Command::add_option(const std::string&, int&, const std::string&);
template Option Command::add_option(const std::string&, std::int64_t&, const std::string&);
template Option Command::add_option(const std::string&, double&, const std::string&);
template Option Command::add_option(const std::string&, std::optional<int>&, const std::string&);
template Option Command::add_option(const std::string&, std::optional<double>&, const std::string&);

Option Command::add_threads(int& threads, const std::string& help) {
  threads = usable_cores();
  return add_option("--threads", threads, help).positive().capture_default_str();
}

Option Command::add_flag(const std::string& names, bool& value, const std::string& help) {
  return Option(*command_->add_flag(names, value, help));
}

Option Command::add_option_function(const std::string& name, std::function<void(const std::string&)> take,
                                    const std::string& help) {
  return Option(*command_->add_option_function<std::string>(name, take, help)->trigger_on_parse());
}

void Command::footer(const std::string& text) {
  command_->footer(text);
}

void Command::footer(std::function<std::string()> text) {
  command_->footer(std::move(text));
}

void Command::callback(std::function<void()> run) {
  command_->callback(std::move(run));
}

}  // namespace btm
