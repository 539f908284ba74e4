// The program: a table of commands, and the one place where all errors end.
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/format.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/version.h"
#include "cli/command.h"
#include "cli/error_report.h"
#include "cli/output.h"

namespace {

// Buffers of some 10 MiB are freed and taken again all the time; glibc would unmap them at every free.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
}

// The first word that is no option names the command.
void require_known_command(CLI::App& app, int argc, char** argv) {
  const auto word = std::find_if(argv + 1, argv + argc, [](const char* each) { return each[0] != '-'; });
  if (word == argv + argc) return;
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    known.push_back(command->get_name());
  }
  if (std::ranges::find(known, *word) != known.end()) return;
  const std::string nearest = btm::nearest_word(*word, known);
  throw btm::input_error("there is no command '{}'; {}`btm --help` lists them", *word,
                         nearest.empty() ? "" : fmt::format("did you mean '{}'? ", nearest));
}

int run(int argc, char** argv) {
  using namespace btm;
  CLI::App app{"Branch-Train-Merge: grow a forest of expert language models, mix them, take them away as one.", "btm"};
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.fallthrough();
  bool verbose = false, quiet = false;
  app.add_flag("-v,--verbose", verbose, "Say more");
  app.add_flag("-q,--quiet", quiet, "Say nothing but results and errors");
  app.parse_complete_callback([&] {
    set_log_level(quiet ? LogLevel::quiet : verbose ? LogLevel::verbose : LogLevel::normal);
  });
  app.footer("\nStart with `btm grow examples/demo/forest.yaml`. `btm COMMAND --help` says all about a command.");

  for (auto add : {add_grow,     add_prepare,  add_branch, add_train,   add_merge,    add_remove,    add_export,
                   add_import,   add_ls,       add_show,   add_lineage, add_evaluate, add_posterior, add_average,
                   add_generate, add_tokenize, add_study,  add_report,  add_verify,   add_doctor}) {
    add(app);
  }
  require_known_command(app, argc, argv);
  try {
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) throw output_error();
    return 0;
  } catch (const CLI::Success& e) {
    const int code = app.exit(e);
    if (std::fflush(stdout) != 0) throw output_error();
    return code;
  } catch (const CLI::ParseError& e) {
    const std::vector<CLI::App*> given = app.get_subcommands();
    throw input_error("{}; see `btm {}--help`", e.what(), given.empty() ? "" : given.front()->get_name() + " ");
  }
}

// Files opened later would be taken for the standard ones that this process was started without. Writing to them still
// fails.
void fill_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) < 0) ::open("/dev/null", O_RDONLY);
  }
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_descriptors();
  keep_freed_memory();
  btm::catch_interrupts();
  try {
    return run(argc, argv);
  } catch (...) {
    return btm::tell_error();
  }
}
