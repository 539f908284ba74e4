#include "btm/forest/bundle_manifest.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "btm/forest/admission.h"

namespace btm {
namespace {

constexpr int kVersion = 1;
constexpr std::size_t kMostAncestors = 1000;
constexpr int kLastCycle = 1'000'000;
constexpr std::array<const char*, 5> kKeys = {"bundle", "delta", "config", "ancestors", "expert"};

// Checks whose failure is `where`: what.
class Checker {
 public:
  explicit Checker(const std::string& where) : where_(where) {}

  void require(bool good, const std::string& what) const {
    if (!good) throw input_error("{}: {}", where_, what);
  }

  void name(const std::string& name) const {
    require(is_plain_name(name), fmt::format("'{}' can't be the name of a model or domain", name));
  }

  void hash(const std::string& hash, const std::string& of) const {
    const bool digits = hash.size() == 64 && hash.find_first_not_of("0123456789abcdef") == std::string::npos;
    require(digits, fmt::format("'{}' is not the SHA-256 of {}", hash, of));
  }

  void number(double value, const char* of) const {
    require(std::isfinite(value) && value >= 0, fmt::format("{} is {}; it must be 0 or more", of, value));
  }

  void cycle(int cycle, int first) const {
    require(cycle >= first && cycle <= kLastCycle, fmt::format("{} can't be the number of a cycle", cycle));
  }

  void parents(const std::vector<Parent>& parents) const {
    constexpr double kRounding = 1e-6;
    double sum = 0;
    for (const Parent& parent : parents) {
      name(parent.name);
      hash(parent.sha256, fmt::format("the parent '{}'", parent.name));
      number(parent.weight, "the weight of a parent");
      sum += parent.weight;
    }
    require(parents.empty() || std::abs(sum - 1) < kRounding, fmt::format("the weights of parents sum to {}", sum));
  }

  void expert(const ExpertInfo& info) const {
    check_expert_name(info.name);
    require(info.kind == kExpertKind, fmt::format("'{}' is the kind of model, not expert", info.kind));
    for (const std::string& domain : info.domains) name(domain);
    cycle(info.cycle, 1);
    parents(info.parents);
    hash(info.weights_sha256, "weights");
    hash(info.tokenizer_sha256, "a tokenizer");
    hash(info.recipe_sha256, "a recipe");
    number(static_cast<double>(info.tokens), "tokens");
    number(static_cast<double>(info.updates), "updates");
    number(info.threads, "threads");
    number(info.flops, "flops");
    number(info.device_seconds, "device_seconds");
    number(info.dev_loss, "dev_loss");
  }

  // All parents are among them, so that nobody's place in the lineage stays unknown.
  void ancestors(const std::vector<Ancestor>& ancestors, const ExpertInfo& expert) const {
    require(ancestors.size() <= kMostAncestors, fmt::format("{} ancestors are too many", ancestors.size()));
    auto known = [&](const std::vector<Parent>& parents) {
      for (const Parent& parent : parents) {
        require(std::ranges::find(ancestors, parent.sha256, &Ancestor::sha256) != ancestors.end(),
                fmt::format("the parent '{}' is not among the ancestors", parent.name));
      }
    };
    known(expert.parents);
    for (const Ancestor& ancestor : ancestors) {
      name(ancestor.name);
      hash(ancestor.sha256, fmt::format("the ancestor '{}'", ancestor.name));
      cycle(ancestor.cycle, 0);
      parents(ancestor.parents);
      known(ancestor.parents);
    }
  }

  // No control characters, which would reach terminals: JSON writes them with a backslash.
  void texts(const std::string& json) const {
    require(json.find_first_of("\\\x7f") == std::string::npos, "a text in it holds control characters or quotes");
  }

 private:
  const std::string& where_;
};

void check_keys(const Json& json, const Checker& check) {
  const bool versioned = json.contains("bundle") && json["bundle"].is_number_integer();
  check.require(versioned, "its manifest has no version");
  check.require(
      json["bundle"] == kVersion,
      fmt::format("a bundle of version {}, which this btm doesn't know; get a newer btm", json["bundle"].dump()));
  for (const char* key : kKeys) check.require(json.contains(key), fmt::format("its manifest lacks '{}'", key));
  check.require(json.size() == kKeys.size(), "its manifest has a key that btm doesn't know");
  check.require(json["delta"].is_boolean(), "'delta' in its manifest is not true or false");
}

}  // namespace

std::string manifest_text(const Manifest& manifest, const std::string& where) {
  const Checker check(where);
  check.expert(manifest.expert);
  check.ancestors(manifest.ancestors, manifest.expert);
  const Json json = {{"bundle", kVersion},
                     {"delta", manifest.delta},
                     {"config", manifest.config},
                     {"ancestors", settings_json(manifest.ancestors)},
                     {"expert", expert_json(manifest.expert)}};
  check.texts(json.dump());
  return json.dump();
}

Manifest parse_manifest(const std::string& text, const std::string& where) {
  const Checker check(where);
  const Json json = parse_json_object(text, where + ": its manifest");
  check.texts(json.dump());
  check_keys(json, check);
  Manifest manifest;
  manifest.delta = json["delta"];
  manifest.config = json["config"];
  manifest.expert = expert_from_json(json["expert"], where);
  read_json_settings(json["ancestors"], manifest.ancestors, where);
  check.require(!manifest.expert.imported, "its expert has a key that btm doesn't know");
  check.expert(manifest.expert);
  check.ancestors(manifest.ancestors, manifest.expert);
  return manifest;
}

}  // namespace btm
