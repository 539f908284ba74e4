// Damages every file of a forest, one at a time, and asks verify_forest which it was: the program of
// tests/e2e/verify_test.py. Prints what was not found, or found wrongly.
//   damage_forest FOREST
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "btm/core/files.h"
#include "btm/core/random.h"
#include "btm/core/sums.h"
#include "btm/plan/verify.h"

namespace {

using namespace btm;

constexpr int kFlips = 2;  // of each file, at random places

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
  explicit Damager(fs::path root) : root_(std::move(root)) {}

  void run() {
    expect_found("", {}, "nothing");
    for (const std::string& file : files_of(root_)) {
      if (!is_exempt(file) && fs::file_size(root_ / file) > 0) damage(file);
    }
    std::set<std::string> folders = {""};
    for (const std::string& file : files_of(root_)) folders.insert(fs::path(file).parent_path().string());
    for (const std::string& folder : folders) add_to(folder);
    fmt::print("{} files damaged, {} cases, {} wrong\n", damaged_, cases_, wrong_);
  }

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
  Random random_{1};
  int damaged_ = 0, cases_ = 0, wrong_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Damager damager(argv[1]);
  damager.run();
  return damager.wrong() == 0 ? 0 : 1;
}
