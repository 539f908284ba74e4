// Damages every file of a forest, one at a time, and asks verify_forest which it was: the program of
// tests/e2e/verify_test.py. Prints what was not found, or found wrongly. Works on copies of the forest, side by side:
// verify_forest waits and looks again where something seems to be wrong.
//   damage_forest FOREST
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "btm/core/files.h"
#include "btm/core/random.h"
#include "btm/core/sums.h"
#include "btm/plan/verify/verify.h"

namespace {

using namespace btm;

constexpr int kFlips = 2;    // of each file, at random places
constexpr int kCopies = 12;  // of the forest, a thread each

std::vector<std::string> files_of(const fs::path& root) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(root));
  }
  std::ranges::sort(files);
  return files;
}

bool is_one_of(const std::string& file, std::initializer_list<const char*> names) {
  return std::ranges::find(names, fs::path(file).filename().string()) != names.end();
}

// Written again all the time (docs/reliability.md).
bool is_exempt(const std::string& file) {
  return is_one_of(file, {"lock", "status.json", "log.txt"});
}

// Made again by whoever needs it, so that nobody knows that it was there.
bool may_be_deleted(const std::string& file) {
  return is_one_of(file, {"result.json"}) || file.starts_with("tensorboard/") || file.starts_with("results/scores/") ||
         (file.starts_with("results/") && file != "results/evaluation.json");
}

class Damager {
 public:
  // Takes every kCopies-th file and folder, beginning with `first`.
  Damager(const fs::path& forest, int first)
      : root_(forest.string() + fmt::format(".copy{}", first)),
        first_(static_cast<std::size_t>(first)),
        random_(static_cast<std::uint64_t>(first)) {
    fs::copy(forest, root_, fs::copy_options::recursive);
  }

  void run() {
    expect_found("", {}, "nothing");
    const std::vector<std::string> files = files_of(root_);
    for (std::size_t i = first_; i < files.size(); i += kCopies) {
      if (!is_exempt(files[i]) && fs::file_size(root_ / files[i]) > 0) damage(files[i]);
    }
    std::set<std::string> parents = {""};
    for (const std::string& file : files) parents.insert(fs::path(file).parent_path().string());
    const std::vector<std::string> folders(parents.begin(), parents.end());
    for (std::size_t i = first_; i < folders.size(); i += kCopies) add_to(folders[i]);
  }

  int damaged() const { return damaged_; }
  int cases() const { return cases_; }
  int wrong() const { return wrong_; }

 private:
  void damage(const std::string& file) {
    ++damaged_;
    const fs::path path = root_ / file;
    const std::string whole = read_file(path);
    for (int i = 0; i < kFlips; ++i) {
      std::string bytes = whole;
      const std::size_t at = random_.below(bytes.size());
      bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1 + random_.below(255)));
      write_file(path, bytes);
      expect_found(file, {Verdict::damaged}, fmt::format("flipped at {}", at));
    }
    const std::size_t length = random_.below(whole.size());
    write_file(path, whole.substr(0, length));
    expect_found(file, {Verdict::damaged, Verdict::missing}, fmt::format("cut to {} bytes", length));
    fs::remove(path);
    if (is_one_of(file, {kSumsFile})) {
      expect_found(file, {Verdict::unchecked}, "deleted");
    } else if (!may_be_deleted(file)) {
      expect_found(file, {Verdict::missing, Verdict::damaged}, "deleted");
    }
    write_file(path, whole);
  }

  void add_to(const std::string& folder) {
    const std::string file = folder.empty() ? "stray" : folder + "/stray";
    write_file(root_ / file, "stray");
    expect_found(file, {Verdict::unexpected, Verdict::exempt}, "added");
    fs::remove(root_ / file);
  }

  // The file and no other has one of the verdicts; "": nothing is found.
  void expect_found(const std::string& file, const std::set<Verdict>& verdicts, const std::string& what) {
    ++cases_;
    std::set<std::string> others;
    bool found = file.empty();
    for (const Finding& finding : verify_forest(root_, 2, true).findings) {
      if (finding.file == file) {
        found |= verdicts.contains(finding.verdict);
      } else if (finding.verdict != Verdict::exempt) {
        others.insert(fmt::format("{} ({})", finding.file, finding.what));
      }
    }
    if (found && others.empty()) return;
    ++wrong_;
    fmt::print("{}: {}: {}; others: {}\n", file, what, found ? "found" : "not found", fmt::join(others, ", "));
  }

  fs::path root_;
  std::size_t first_;
  Random random_;
  int damaged_ = 0, cases_ = 0, wrong_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::vector<std::unique_ptr<Damager>> damagers;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kCopies; ++i) damagers.push_back(std::make_unique<Damager>(argv[1], i));
  for (const auto& damager : damagers) threads.emplace_back([&damager] { damager->run(); });
  threads.clear();  // joins them
  int damaged = 0, cases = 0, wrong = 0;
  for (const auto& damager : damagers) {
    damaged += damager->damaged();
    cases += damager->cases();
    wrong += damager->wrong();
  }
  fmt::print("{} files damaged, {} cases, {} wrong\n", damaged, cases, wrong);
  return wrong == 0 ? 0 : 1;
}
