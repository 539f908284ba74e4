#include "btm/plan/verify/verify.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <tuple>
#include <utility>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/half_written.h"
#include "btm/forest/forest.h"
#include "btm/plan/verify/verify_work.h"

namespace btm {
namespace {

constexpr auto kMerging = std::chrono::seconds(1);  // between a model's folder and its line in the log, at most

bool is_wrong(const Finding& finding) {
  return finding.verdict != Verdict::exempt && finding.verdict != Verdict::unchecked;
}

bool is_among(const std::vector<Finding>& findings, const Finding& finding) {
  auto key = [](const Finding& f) { return std::tie(f.verdict, f.file, f.what); };
  return std::ranges::any_of(findings, [&](const Finding& other) { return key(other) == key(finding); });
}

// Others may be at work: what goes while it is looked at is no longer there.
void collect(const fs::path& folder, VerifyWork& work, Verification& result) {
  std::error_code gone;
  const fs::directory_iterator entries(folder, gone);
  if (gone == std::errc::no_such_file_or_directory) return;
  if (gone) throw input_error("{}: can't be listed: {}", folder.string(), gone.message());
  for (const auto& entry : entries) {
    if (entry.is_directory(gone)) {
      if (!entry.is_symlink(gone)) collect(entry.path(), work, result);
      continue;
    }
    const auto bytes = static_cast<std::int64_t>(entry.file_size(gone));
    if (gone) continue;
    const fs::path file = entry.path().lexically_relative(work.paths.root);
    ++result.files;
    result.bytes += bytes;
    if (std::ranges::any_of(file, is_half_written)) {
      work.note(Verdict::exempt, file.string(), "half-written; if no process is at work, delete it");
    } else {
      work.files.emplace(file.string(), bytes);
    }
  }
}

// Lists the files, and for each what to check, or that it is no file of a forest. `work` is new.
void survey(VerifyWork& work, Verification& result) {
  require_forest(work.paths);
  result = {};
  collect(work.paths.root, work, result);
  verify_plan_and_log(work);
  verify_published(work);
  verify_runs(work);
  verify_event_files(work);
  verify_results(work);
  for (const auto& [file, bytes] : work.files) {
    if (!fs::exists(work.paths.root / file)) continue;  // removed meanwhile
    work.note(Verdict::unexpected, file, "no file of a forest", "move it elsewhere, or delete it");
  }
}

}  // namespace

Verification verify_forest(const fs::path& root, int threads, bool quiet) {
  const VerifyWork nothing{.paths = {root}, .files = {}, .checks = {}, .findings = {}, .alive = {}, .curves = {}};
  VerifyWork work = nothing;  // stays where it is: its checks refer to it
  Verification result;
  survey(work, result);
  if (std::ranges::any_of(work.findings, is_wrong)) {  // or a merge was at work while the folders were listed
    const std::vector<Finding> before = std::exchange(work, nothing).findings;
    std::this_thread::sleep_for(kMerging);
    survey(work, result);
    std::erase_if(work.findings, [&before](const Finding& f) { return is_wrong(f) && !is_among(before, f); });
  }
  result.findings = run_checks(work, threads, quiet);
  result.findings.insert(result.findings.end(), work.findings.begin(), work.findings.end());
  std::ranges::sort(result.findings, {},
                    [](const Finding& finding) { return std::tie(finding.verdict, finding.file); });
  return result;
}

}  // namespace btm
