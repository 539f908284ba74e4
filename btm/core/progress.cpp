#include "btm/core/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/core/terminal.h"

namespace btm {
namespace {

constexpr int kBarWidth = 24;
constexpr auto kTerminalInterval = std::chrono::milliseconds(200);
constexpr auto kPlainInterval = std::chrono::seconds(10);

std::string bar(double share) {
  int full = static_cast<int>(share * kBarWidth);
  std::string text;
  for (int i = 0; i < kBarWidth; ++i) text += i < full ? "━" : "╌";
  return text;
}

}  // namespace

Progress::Progress(std::string title, double total, bool quiet)
    : title_(std::move(title)),
      total_(total),
      terminal_(is_terminal(stderr)),
      quiet_(quiet || log_level() == LogLevel::quiet),
      start_(Clock::now()) {
  last_ = start_;
}

Progress::~Progress() {
  if (drawn_ && terminal_) print_stderr("\n");
}

void Progress::update(double done, const std::string& note) {
  if (first_ < 0) first_ = done;  // work done before a resume says nothing about today's speed
  auto now = Clock::now();
  if (now - last_ < (terminal_ ? kTerminalInterval : std::chrono::milliseconds(kPlainInterval))) return;
  last_ = now;
  draw(done, note);
}

void Progress::finish(const std::string& note) {
  if (terminal_) draw(total_, note);
}

void Progress::draw(double done, const std::string& note) {
  if (quiet_) return;
  double share = total_ > 0 ? std::clamp(done / total_, 0.0, 1.0) : 1.0;
  double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  std::string left = done > first_ ? format_duration(seconds * (total_ - done) / (done - first_)) : "?";
  if (terminal_) {
    print_stderr(fmt::format("\r\033[K{} {} {:3.0f}%  {}  {} left", title_, bar(share), 100 * share, note, left));
  } else {
    print_stderr(fmt::format("{} {:3.0f}%  {}  {} left\n", title_, 100 * share, note, left));
  }
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace btm
