#include "btm/core/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "btm/core/error.h"

namespace btm {
namespace {

// Files instead of pipes: nobody has to read and write at once.
struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

File temporary_file(std::string_view content = "") {
  File file(std::tmpfile());
  if (!file || std::fwrite(content.data(), 1, content.size(), file.get()) != content.size() ||
      std::fflush(file.get()) != 0) {
    throw input_error("no temporary file could be written; is TMPDIR or /tmp full?");
  }
  std::rewind(file.get());
  return file;
}

std::string content_of(const File& file) {
  std::string text;
  std::rewind(file.get());
  char block[4096];
  for (std::size_t n = 0; (n = std::fread(block, 1, sizeof block, file.get())) > 0;) text.append(block, n);
  return text;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (const std::string& word : words) result.push_back(const_cast<char*>(word.c_str()));  // exec changes nothing
  result.push_back(nullptr);
  return result;
}

constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGUSR1};
constexpr int kErrorSignals[] = {SIGPIPE, SIGXFSZ};  // ignored by this program; others rely on what they do

// Holds signals back: one between fork and exec would meet this program's handler in the child, and be lost.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~HeldSignals() { release(); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  void release() const { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  // For the child: as after exec, where no handler is left.
  void release_to_defaults() const {
    for (const int signal : kStopSignals) {
      struct sigaction action {};
      ::sigaction(signal, nullptr, &action);
      if (action.sa_handler != SIG_IGN) ::signal(signal, SIG_DFL);
    }
    for (const int signal : kErrorSignals) ::signal(signal, SIG_DFL);
    release();
  }

 private:
  sigset_t before_{};
};

}  // namespace

pid_t start_process(const std::vector<std::string>& words, const ProcessOptions& options) {
  std::vector<std::string> variables = options.environment;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view variable = *entry;
    const std::string_view name = variable.substr(0, variable.find('=') + 1);
    const bool replaced = std::ranges::any_of(
        options.environment, [name](const std::string& own) { return std::string_view(own).starts_with(name); });
    if (!replaced) variables.emplace_back(variable);
  }
  const std::vector<char*> argv = pointers(words), envp = pointers(variables);
  const HeldSignals held;
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) throw failure("{}: no process could be started", words.front());
  if (child > 0) {
    ::setpgid(child, child);  // as the child does for itself, whoever comes first: a signal to the group finds it
    return child;
  }
  // Nothing from here to exec takes a lock or memory: other threads may have been in the middle of it.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  ::setpgid(0, 0);
  held.release_to_defaults();
  // What is this process's to read isn't its child's; and a child in the background that reads a terminal is stopped.
  const int input = options.input >= 0 ? options.input : ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int descriptors[] = {input, options.output, options.errors};
  for (int i = 0; i < 3; ++i) {
    if (descriptors[i] >= 0) ::dup2(descriptors[i], i);
  }
  ::execvpe(argv[0], argv.data(), envp.data());
  ::_exit(kNotFound);
}

std::string shell_word(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? "'\\''" : std::string(1, c);
  return result + "'";
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

ProcessResult run_process(const std::vector<std::string>& words, std::string_view input) {
  const File in = temporary_file(input), out = temporary_file(), err = temporary_file();
  const pid_t child =
      start_process(words, {.input = ::fileno(in.get()), .output = ::fileno(out.get()), .errors = ::fileno(err.get())});
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ProcessResult result{exit_code(status), content_of(out), content_of(err)};
  if (result.code == kNotFound && result.errors.empty()) result.errors = words.front() + ": command not found";
  return result;
}

}  // namespace btm
