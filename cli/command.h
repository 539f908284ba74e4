// How a command enters the program: one file per command, one line in main.cpp's table.
// CLI11 stays in command.cpp and main.cpp: each file that includes it gets all of it, 4 s to compile.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace btm {

// An option of a command, which owns it. Each of these returns it, so that they can be chained.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  Option& required();                             // and not empty
  Option& not_empty();                            // a value that is no text is refused, not taken for none
  Option& type_name(const std::string& name);     // what the help calls its value
  Option& group(const std::string& heading);      // under which the help lists it
  Option& capture_default_str();                  // the help shows the value that the variable has now ...
  Option& default_str(const std::string& value);  // ... or this
  Option& excludes(const Option& other);
  Option& one_value();  // is given once for each value of a list, so that words behind it are other arguments
  Option& positive();   // a whole number of at least 1

 private:
  CLI::Option* option_;
};

// A command of the app, which owns it. What is wrong with a command line is thrown when the app parses it.
class Command {
 public:
  Command(CLI::App& app, const std::string& name, const std::string& description);

  // Names as "-o,--output", or "FOREST" for what is known by its place. The value is a text, a number, one of these in
  // a std::optional, or a list of texts, and has to live until the command has run.
  template <class T>
  Option add_option(const std::string& names, T& value, const std::string& help);
  Option add_threads(int& threads, const std::string& help);  // --threads; as many as cores unless given
  Option add_flag(const std::string& names, bool& value, const std::string& help);
  // Calls take for each time that the option is given, in the order of the command line.
  Option add_option_function(const std::string& name, std::function<void(const std::string&)> take,
                             const std::string& help);

  void footer(const std::string& text);            // what the help ends with
  void footer(std::function<std::string()> text);  // is asked for only when it is shown
  void callback(std::function<void()> run);        // does the work; throws Error

 private:
  CLI::App* command_;
};

// Adds the command with its options and help to the app.
void add_average(CLI::App& app);
void add_branch(CLI::App& app);
void add_doctor(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_export(CLI::App& app);
void add_generate(CLI::App& app);
void add_grow(CLI::App& app);
void add_import(CLI::App& app);
void add_lineage(CLI::App& app);
void add_ls(CLI::App& app);
void add_merge(CLI::App& app);
void add_posterior(CLI::App& app);
void add_prepare(CLI::App& app);
void add_remove(CLI::App& app);
void add_report(CLI::App& app);
void add_show(CLI::App& app);
void add_study(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_train(CLI::App& app);
void add_verify(CLI::App& app);

}  // namespace btm
