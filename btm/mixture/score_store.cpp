#include "btm/mixture/score_store.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/core/settings.h"
#include "btm/core/stopwatch.h"
#include "btm/mixture/scores.h"

namespace btm {

namespace {

// Raised when scores of the same weights and tokens would come out different.
constexpr int kFormat = 1;

template <class T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

constexpr const char* kHeadKeys[] = {"model", "text", "targets", "window", "seconds", "xxh3"};

struct ScoreFile {
  Json head;
  std::string_view values;
  Seal seal = Seal::broken;  // as check_scores
};

ScoreFile parse_scores(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == bytes.npos) return {};
  const std::string_view line = bytes.substr(0, end);
  ScoreFile file{{}, bytes.substr(end + 1), check_line_seal(line)};
  if (file.seal == Seal::broken) return file;
  file.head = Json::parse(unsealed_line(line), nullptr, false);
  auto known = [&head = file.head](const char* key) { return head.contains(key); };
  const bool same_keys =
      file.head.is_object() && file.head.size() == std::size(kHeadKeys) && std::ranges::all_of(kHeadKeys, known);
  if (!same_keys || file.head["xxh3"] != Json(xxh3(file.values))) file.seal = Seal::broken;
  return file;
}

std::optional<StoredScores> read_stored(const fs::path& path, std::int64_t targets) {
  if (!fs::exists(path)) return std::nullopt;
  const std::string bytes = read_file(path);
  const ScoreFile file = parse_scores(bytes);
  if (file.seal == Seal::broken || file.values.size() != targets * sizeof(float)) return std::nullopt;
  StoredScores stored;
  stored.log_probs.resize(static_cast<std::size_t>(targets));
  std::memcpy(stored.log_probs.data(), file.values.data(), file.values.size());
  if (file.head["seconds"].is_number()) stored.seconds = file.head["seconds"].get<double>();
  return stored;
}

}  // namespace

Seal check_scores(std::string_view bytes) {
  return parse_scores(bytes).seal;
}

Text make_text(std::string name, std::vector<TokenId> tokens) {
  std::string sha256 = sha256_hex(bytes_of(tokens));
  return {std::move(name), std::move(tokens), std::move(sha256)};
}

ScoreStore::ScoreStore(fs::path folder, int window, const ScoringPlace& place, std::vector<fs::path> elsewhere)
    : folder_(std::move(folder)),
      elsewhere_(std::move(elsewhere)),
      window_(window),
      place_(decided(place)),
      writable_(make_folders_if_allowed(folder_)) {}

std::string ScoreStore::file_name(const Member& member, const Text& text) const {
  std::string key = fmt::format("{}\n{}\n{}\n{}", kFormat, member.identity, text.sha256, window_);
  if (place_.precision != Precision::fp32) {
    key += fmt::format("\n{} {}", to_word(place_.precision), to_word(place_.device));
  }
  return sha256_hex(key).substr(0, 32) + ".scores";
}

bool ScoreStore::has(const Member& member, const Text& text) const {
  return find(member, text).has_value();
}

std::optional<StoredScores> ScoreStore::find(const Member& member, const Text& text) const {
  if (text.targets() == 0) return StoredScores{};
  const std::string name = file_name(member, text);
  if (auto own = read_stored(folder_ / name, text.targets())) return own;
  for (const fs::path& folder : elsewhere_) {
    auto found = read_stored(folder / name, text.targets());
    if (!found) continue;
    if (writable_ && !fs::exists(folder_ / name)) link_or_copy(folder / name, folder_ / name);
    return found;
  }
  return std::nullopt;
}

std::unique_ptr<TextScorer> ScoreStore::scorer(const Member& member, const Model& model) const {
  return scorer_of(model, member.name, window_, place_);
}

StoredScores ScoreStore::score(const Member& member, TextScorer& scorer, const Text& text) const {
  const Stopwatch watch;
  std::vector<float> log_probs = score_text(scorer, member.name, text.tokens);
  double seconds = watch.seconds();
  StoredScores scores{std::move(log_probs), seconds};
  keep(member, text, scores);
  return scores;
}

void ScoreStore::keep(const Member& member, const Text& text, const StoredScores& scores) const {
  if (!writable_) return;
  std::string_view values = bytes_of(scores.log_probs);
  Json head = {{"model", member.name}, {"text", text.name},         {"targets", text.targets()},
               {"window", window_},    {"seconds", scores.seconds}, {"xxh3", xxh3(values)}};
  write_file(folder_ / file_name(member, text), sealed_line(head.dump()) + "\n" + std::string(values));
}

StoredScores ScoreStore::read(const Member& member, const Text& text) const {
  auto stored = find(member, text);
  if (!stored)
    throw failure("{}: the scores of {} on {} are gone or damaged", (folder_ / file_name(member, text)).string(),
                  member.name, text.name);
  return *std::move(stored);
}

}  // namespace btm
