// Other programs as processes.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace btm {

struct ProcessOptions {
  // Descriptors that become its 0, 1 and 2; -1: nothing to read, this process's own to write to.
  int input = -1, output = -1, errors = -1;
  std::vector<std::string> environment = {};  // NAME=VALUE, added to this process's variables or in place of one
};

inline constexpr int kNotFound = 127;  // exit code where there is no such program, as in shells

// Starts `words[0]`, looked for in PATH. It is told to end (SIGTERM) when the calling thread does, and the terminal's
// Ctrl-C does not reach it, so that its owner passes it on once. Not found: it ends with kNotFound. The caller waits
// for it. Throws Error(failed) if no process could be started.
pid_t start_process(const std::vector<std::string>& words, const ProcessOptions& options);

std::string shell_word(const std::string& text);  // in quotes: one word for a POSIX shell

int exit_code(int status);  // of what waitpid gives: the process's own, or 128 + the number of the signal that ended it

struct ProcessResult {
  int code = 0;  // see exit_code
  std::string output, errors;
};

// The same to its end; `input` is what it reads.
ProcessResult run_process(const std::vector<std::string>& words, std::string_view input = "");

}  // namespace btm
