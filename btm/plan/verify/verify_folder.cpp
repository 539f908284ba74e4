// Folders that were published whole: models, tokenizer, tokens, averages to start from.
#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/hash.h"
#include "btm/core/sums.h"
#include "btm/data/domain_report.h"
#include "btm/data/token_store.h"
#include "btm/forest/expert.h"
#include "btm/model/checkpoint.h"
#include "btm/plan/verify/verify_work.h"

namespace btm {
namespace {

std::optional<Finding> compare(const std::string& file, const std::string& found, const std::string& expected,
                               const std::string& record) {
  if (found == expected) return std::nullopt;
  return Finding{Verdict::damaged, file, fmt::format("its hash is {}, but {} says {}", found, record, expected), {}};
}

// expert.json, against its own hash of the recipe and, of an expert, against the log.
std::optional<Finding> look_at_expert(const VerifyWork& work, const std::string& folder) {
  const std::string file = folder + "/expert.json";
  const ExpertInfo info = load_expert(work.paths.root / folder);
  const auto logged = work.alive.find(info.name);
  if (logged == work.alive.end() || work.paths.expert(info.name) != work.paths.root / folder) return std::nullopt;
  if (auto found = compare(file, info.weights_sha256, logged->second.weights_sha256, "log.jsonl")) return found;
  return compare(file, info.recipe_sha256, logged->second.recipe_sha256, "log.jsonl");
}

// Those of expert.json, if that can be read: what is wrong with it is told beside it.
std::optional<ExpertInfo> readable_expert(const fs::path& folder) {
  try {
    return load_expert(folder);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void check_old_model(VerifyWork& work, const std::string& folder, const std::string& remedy) {
  const fs::path path = work.paths.root / folder;
  work.check(folder + "/expert.json", remedy, [&work, folder] { return look_at_expert(work, folder); });
  const std::string weights = folder + "/model.safetensors", tokenizer = folder + "/tokenizer.json";
  work.check(weights, remedy, [path, weights]() -> std::optional<Finding> {
    const auto info = readable_expert(path);
    return info ? compare(weights, weights_sha256(path), info->weights_sha256, kExpertFile) : std::nullopt;
  });
  work.check(tokenizer, remedy, [path, tokenizer]() -> std::optional<Finding> {
    const auto info = readable_expert(path);
    return info ? compare(tokenizer, sha256_file(path / kTokenizerFile), info->tokenizer_sha256, kExpertFile)
                : std::nullopt;
  });
}

// As it was written; what has become of it is told of itself. Empty: not known.
std::string tokenizer_sha256(const VerifyWork& work) {
  try {
    for (const auto& [file, sha256] : read_sums(work.paths.tokenizer()).value_or(std::vector<FileSum>{})) {
      if (file == kTokenizerFile) return sha256;
    }
  } catch (const Error&) {  // told where the folder is checked
  }
  return {};
}

// Tokens mean nothing to models of another tokenizer.
std::optional<Finding> look_at_tokens(const VerifyWork& work, const std::string& folder) {
  const std::string file = folder + "/" + kDomainReportFile;
  const std::string made_by = load_domain_report(work.paths.root / folder).tokenizer_sha256;
  const std::string own = tokenizer_sha256(work);
  if (made_by.empty() || own.empty() || made_by == own) return std::nullopt;
  return Finding{Verdict::damaged, file, "its tokens were made by another tokenizer than the forest's", {}};
}

void check_old_tokens(VerifyWork& work, const std::string& folder, const std::string& remedy) {
  const fs::path path = work.paths.root / folder;
  DomainReport report;
  try {
    report = load_domain_report(path);
  } catch (const Error& e) {
    work.claim(folder + "/" + kDomainReportFile);
    return work.note(Verdict::damaged, folder + "/" + kDomainReportFile, e.what(), remedy);
  }
  for (const auto& [split, sha256] : {std::pair("train", report.train_sha256), std::pair("dev", report.dev_sha256),
                                      std::pair("test", report.test_sha256)}) {
    const std::string file = fmt::format("{}/{}.bin", folder, split);
    work.check(file, remedy, [file, prefix = path / split, sha256 = sha256] {
      return compare(file, TokenStore(prefix).sha256(), sha256, "domain.json, of .bin and .idx,");
    });
    work.claim(fmt::format("{}/{}.idx", folder, split));
  }
}

// Folders of older versions have no SHA256SUMS.
void check_by_records(VerifyWork& work, const std::string& folder, const std::string& remedy) {
  if (work.files.contains(folder + "/expert.json")) check_old_model(work, folder, remedy);
  if (work.files.contains(folder + "/" + kDomainReportFile)) check_old_tokens(work, folder, remedy);
  std::vector<std::string> rest;
  for (const std::string& file : work.below(folder)) {
    work.claim(file);
    rest.push_back(file.substr(folder.size() + 1));
  }
  if (rest.empty()) return;
  work.note(Verdict::unchecked, folder + "/" + kSumsFile,
            fmt::format("without it, as in folders of older versions, {} can't be checked", fmt::join(rest, ", ")));
}

std::string top_of(const std::string& folder) {
  return folder.substr(0, folder.find('/'));
}

std::string remedy_of(const VerifyWork& work, const std::string& folder) {
  const std::string top = top_of(folder), again = "delete " + work.path(folder);
  if (top == "tokens") return again + " and make it anew from the same text: btm grow";
  if (top == "comparisons") return again + " and train it anew: btm grow";
  if (top == "experts") {
    return fmt::format("restore the folder from a copy, or take the expert out: btm remove {} {}",
                       work.paths.root.string(), folder.substr(top.size() + 1));
  }
  if (top == "tokenizer") return "restore it from a copy; tokenizer.json is also in the folder of each model";
  return "restore it from a copy: experts descend from it";
}

// experts/NAME, and comparisons/NAME or comparisons/SET/NAME.
std::set<std::string> folders_with_files(const VerifyWork& work, const std::string& top) {
  std::set<std::string> folders;
  for (const std::string& file : work.below(top)) folders.insert(file.substr(0, file.rfind('/')));
  folders.erase(top);
  return folders;
}

// The training curve that the folder's event file is made from: tensorboard/NAME, SET-NAME, or SET where one run left
// several models.
void remember_curve(VerifyWork& work, const std::string& folder) {
  std::function<bool(std::string_view)> holds = [](std::string_view) { return true; };
  try {
    if (const auto sums = read_sums(work.paths.root / folder)) {
      holds = [sums = *sums](std::string_view lines) {
        return std::ranges::any_of(
            sums, [&lines](const FileSum& sum) { return sum.file == kMetricsFile && sum.sha256 == sha256_hex(lines); });
      };
    }
  } catch (const Error&) {  // told where the folder is checked
  }
  const std::string file = folder + "/" + kMetricsFile;
  const Curve curve{file, work.files.contains(file) ? work.files.at(file) : 0, false, holds};
  std::string name = folder == kSeedName ? folder : folder.substr(top_of(folder).size() + 1);
  if (const std::size_t slash = name.find('/'); slash != name.npos) work.curves.emplace(name.substr(0, slash), curve);
  std::ranges::replace(name, '/', '-');
  work.curves.emplace(name, curve);
}

}  // namespace

void verify_folder(VerifyWork& work, const std::string& folder, const std::string& remedy) {
  const std::string list = folder + "/" + kSumsFile;
  std::optional<std::vector<FileSum>> sums;
  try {
    sums = read_sums(work.paths.root / folder);
    if (!sums && !fs::exists(work.paths.root / folder)) return work.exempt_below(folder, "removed meanwhile");
  } catch (const Error&) {
    work.note(Verdict::damaged, list, "does not match its own hash",
              "restore it from a copy, or delete it to go on without");
  }
  work.claim(list);
  if (!sums) return check_by_records(work, folder, remedy);
  for (const auto& [name, sha256] : *sums) {
    const std::string file = fs::path(folder) / name;
    work.check(file, remedy, [&work, file, folder, name = name, sha256 = sha256]() -> std::optional<Finding> {
      if (auto found = compare(file, sha256_file(work.paths.root / file), sha256, kSumsFile)) return found;
      if (name == kDomainReportFile) return look_at_tokens(work, folder);
      return name == kExpertFile ? look_at_expert(work, folder) : std::nullopt;
    });
  }
}

void verify_published(VerifyWork& work) {
  std::vector<std::string> folders, models;
  if (work.has_below("tokenizer")) folders.push_back("tokenizer");
  if (work.has_below(kSeedName)) models.push_back(kSeedName);
  for (const std::string& folder : folders_with_files(work, "tokens")) folders.push_back(folder);
  for (const char* top : {"experts", "comparisons"}) {
    for (const std::string& folder : folders_with_files(work, top)) models.push_back(folder);
  }
  for (const std::string& folder : models) remember_curve(work, folder);
  folders.insert(folders.end(), models.begin(), models.end());
  for (const std::string& folder : folders) verify_folder(work, folder, remedy_of(work, folder));
}

}  // namespace btm
