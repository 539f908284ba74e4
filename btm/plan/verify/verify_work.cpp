#include "btm/plan/verify/verify_work.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/interrupt.h"
#include "btm/core/on_exit.h"
#include "btm/core/progress.h"
#include "btm/core/thread_team.h"

namespace btm {
namespace {

constexpr const char* kAsOwner = "verify as its owner";
constexpr auto kRedraw = std::chrono::milliseconds(100);

std::optional<Finding> look_at(const FileCheck& check, const fs::path& root) {
  try {
    return check.look();
  } catch (const std::exception& e) {  // also of a JSON library that meets other types than were written
    if (!fs::exists(root / check.file)) return Finding{Verdict::exempt, check.file, "removed meanwhile", {}};
    if (::access((root / check.file).c_str(), R_OK) != 0 && errno == EACCES)
      return Finding{Verdict::unreadable, check.file, "whether it is as it was written can't be told", kAsOwner};
    return Finding{Verdict::damaged, check.file, e.what(), {}};
  }
}

}  // namespace

bool VerifyWork::has_below(const std::string& folder) const {
  auto at = files.lower_bound(folder + "/");
  return at != files.end() && at->first.starts_with(folder + "/");
}

std::vector<std::string> VerifyWork::below(const std::string& folder) const {
  std::vector<std::string> found;
  const std::string start = folder + "/";
  for (auto at = files.lower_bound(start); at != files.end() && at->first.starts_with(start); ++at) {
    found.push_back(at->first);
  }
  return found;
}

std::vector<std::string> VerifyWork::folders_in(const std::string& folder) const {
  std::set<std::string> folders;
  for (const std::string& file : below(folder)) {
    const std::string rest = file.substr(folder.size() + 1);
    if (const std::size_t end = rest.find('/'); end != rest.npos) folders.insert(rest.substr(0, end));
  }
  return {folders.begin(), folders.end()};
}

void VerifyWork::note(Verdict verdict, const std::string& file, const std::string& what, const std::string& remedy) {
  findings.push_back({verdict, file, what, remedy});
}

bool VerifyWork::claim(const std::string& file) {
  return files.erase(file) > 0;
}

void VerifyWork::exempt_below(const std::string& folder, const std::string& why) {
  for (const std::string& file : below(folder)) {
    claim(file);
    note(Verdict::exempt, file, why);
  }
}

void VerifyWork::check(const std::string& file, const std::string& remedy, Look look) {
  auto at = files.find(file);
  if (at == files.end()) {
    if (!fs::exists(paths.root / file)) note(Verdict::missing, file, "not there", remedy);
    return;  // else it was made after the files were listed
  }
  auto with_remedy = [remedy, look = std::move(look)] {
    std::optional<Finding> found = look();
    if (found && found->verdict != Verdict::unchecked) found->remedy = remedy;
    return found;
  };
  checks.push_back({file, at->second, std::move(with_remedy)});
  files.erase(at);
}

std::vector<Finding> run_checks(const VerifyWork& work, int threads, bool quiet) {
  std::vector<FileCheck> checks = work.checks;
  std::ranges::stable_sort(checks, std::greater<>(), &FileCheck::bytes);  // the last ones to end are small
  double total = 0;
  for (const FileCheck& check : checks) total += static_cast<double>(check.bytes);
  std::vector<Finding> findings;
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::condition_variable ended;
  std::int64_t done = 0;
  int working = std::clamp(threads, 1, static_cast<int>(std::max<std::size_t>(1, checks.size())));
  const auto look = [&] {
    const OnExit leave([&] {  // by an error, too: it ends the drawing
      const std::lock_guard lock(mutex);
      --working;
      ended.notify_one();
    });
    for (std::size_t i; (i = next++) < checks.size() && !interrupted();) {
      std::optional<Finding> found = look_at(checks[i], work.paths.root);
      const std::lock_guard lock(mutex);
      done += checks[i].bytes;
      if (found) findings.push_back(*std::move(found));
    }
  };
  Progress progress("verify", total, quiet);
  const auto draw = [&] {
    for (std::unique_lock lock(mutex); working > 0; ended.wait_for(lock, kRedraw)) {
      progress.update(static_cast<double>(done), fmt::format("{}B", format_count(static_cast<double>(done))));
    }
  };
  ThreadTeam(working + 1).run([&](int thread) { thread == 0 ? draw() : look(); });
  throw_if_interrupted();
  progress.finish();
  return findings;
}

}  // namespace btm
