// Progress of long work: one line redrawn on a terminal, a plain line now and then elsewhere.
#pragma once

#include <chrono>
#include <string>

namespace btm {

class Progress {
 public:
  // `title` heads the line; `total` is the number of units of work. Writes to stderr, unless
  // it is to be quiet or the log is (--quiet).
  Progress(std::string title, double total, bool quiet = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `note` is shown behind the bar, e.g. "loss 3.21  12.3k tokens/s". Cheap: draws at most a few times a second.
  void update(double done, const std::string& note = {});
  void finish(const std::string& note = {});

 private:
  void draw(double done, const std::string& note);
  using Clock = std::chrono::steady_clock;
  std::string title_;
  double total_, first_ = -1;
  bool terminal_, quiet_, drawn_ = false;
  Clock::time_point start_, last_;
};

}  // namespace btm
