// forest.yaml as structs: what the user asks for.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "btm/core/settings.h"
#include "btm/data/prepare.h"
#include "btm/forest/paths.h"
#include "btm/mixture/evaluate_settings.h"
#include "btm/model/config.h"
#include "btm/plan/launch/launcher_settings.h"
#include "btm/train/settings.h"

namespace btm {

enum class Role { train, novel };
inline std::array<std::pair<Role, std::string_view>, 2> names(Role) {
  return {{{Role::train, "train"}, {Role::novel, "novel"}}};
}

struct DomainSettings {
  TextSettings text;
  Role role = Role::train;
};
template <class F>
void visit(DomainSettings& s, F&& f) {
  visit(s.text, f);
  f("role", s.role, "train, or novel: only evaluated on");
}

struct TokenizerSettings {
  std::string from;
  int vocab_size = 8192;
  std::int64_t sample_bytes = 8'000'000;
};
template <class F>
void visit(TokenizerSettings& s, F&& f) {
  f("from", s.from,
    "take this tokenizer.json (or the folder that holds it); empty: that of model.from, else train one on the train "
    "domains");
  f("vocab_size", s.vocab_size, "of the tokenizer to train");
  f("sample_bytes", s.sample_bytes, "text per domain to train it on");
}

struct ModelSettings {
  std::string preset;
  std::string from;
  ModelConfig config;
};
template <class F>
void visit(ModelSettings& s, F&& f) {
  f("preset", s.preset, "gpt3-small, gpt3-medium, gpt3-large or gpt3-xl: the paper's shapes; the keys below change it");
  f("from", s.from,
    "Hugging Face checkpoint folder: its shape, weights and tokenizer; with it only context may be given, to be less");
  visit(s.config, f);
}

struct SeedSettings {
  std::int64_t tokens = 4'000'000;
  std::vector<std::string> domains = {"all"};
  TrainingSettings training;
};
template <class F>
void visit(SeedSettings& s, F&& f) {
  f("tokens", s.tokens, "to train the seed on; 0: the seed is model.from as it is, or random weights");
  f("domains", s.domains, "its corpus, balanced; all: every train domain");
  f("training", s.training, "what differs from `training` above");
}

enum class BranchKind { seed, uniform, argmax, posterior, random };
inline std::array<std::pair<BranchKind, std::string_view>, 5> names(BranchKind) {
  return {{{BranchKind::seed, "seed"},
           {BranchKind::uniform, "uniform"},
           {BranchKind::argmax, "argmax"},
           {BranchKind::posterior, "posterior"},
           {BranchKind::random, "random"}}};
}

struct BranchSettings {
  BranchKind from = BranchKind::seed;
  NamedList<double> weights;
  int top_k = 0;
  int sequences = 100;
};
template <class F>
void visit(BranchSettings& s, F&& f) {
  f("from", s.from,
    "initial weights: seed; the experts' uniform or posterior-weighted average; argmax: the likeliest one; random: "
    "none");
  f("weights", s.weights, "explicit instead: {NAME: WEIGHT, ...} over seed and experts");
  f("top_k", s.top_k, "posterior: keep the k largest weights; 0: all");
  f("sequences", s.sequences, "posterior, argmax: train sequences of the new domain that estimate it");
}
void read_scalar(BranchSettings& s, const std::string& word);
bool chooses_experts(const BranchSettings& branch);  // among those that are there: it needs some

struct CycleSettings {
  std::vector<std::string> experts;
  std::vector<std::string> after;
  std::int64_t tokens = 1'000'000;
  BranchSettings branch;
  TrainingSettings training;
};
template <class F>
void visit(CycleSettings& s, F&& f) {
  f("experts", s.experts, "train domains; each gets an expert of its name");
  f("after", s.after,
    "what must be in the forest before it starts: experts of cycles before, which are then those it branches from, or "
    "seed; empty: all of them");
  f("tokens", s.tokens, "per expert");
  f("branch", s.branch, "where the experts start");
  f("training", s.training, "what differs from `training` above");
}

struct TrainerSettings {
  std::string command;
};
template <class F>
void visit(TrainerSettings& s, F&& f) {
  f("command", s.command,
    "instead of btm: reads the checkpoint {init}, trains it on {tokens} (or {text}) and leaves one in {output}; see "
    "docs/trainers.md");
}

enum class Baseline { dense, demix, random_split, random_init };
inline std::array<std::pair<Baseline, std::string_view>, 4> names(Baseline) {
  return {{{Baseline::dense, "dense"},
           {Baseline::demix, "demix"},
           {Baseline::random_split, "random_split"},
           {Baseline::random_init, "random_init"}}};
}

enum class Start { seed, random };
inline std::array<std::pair<Start, std::string_view>, 2> names(Start) {
  return {{{Start::seed, "seed"}, {Start::random, "random"}}};
}

struct ComparisonSettings {
  Baseline model = Baseline::dense;
  Start from = Start::seed;
  std::int64_t tokens = 0;
  TrainingSettings training;
};
template <class F>
void visit(ComparisonSettings& s, F&& f) {
  f("model", s.model,
    "dense: one model on all train domains; demix: with a feed-forward network per domain; random_split: as many "
    "models as experts, data dealt at random; random_init: experts without a seed");
  f("from", s.from,
    "dense and demix: seed, which goes on for the tokens of all experts; random, anew for those and the seed's");
  f("tokens", s.tokens, "dense and demix: to train on instead; 0: what equal compute asks for");
  f("training", s.training, "what differs from the first cycle's training");
}

struct Plan {
  std::string forest;
  TokenizerSettings tokenizer;
  ModelSettings model;
  TrainingSettings training;
  TrainerSettings trainer;
  std::string text_root;
  NamedList<DomainSettings> domains;
  SeedSettings seed;
  std::vector<CycleSettings> cycles;
  EvaluateSettings evaluate;
  std::vector<ComparisonSettings> compare;
  LauncherSettings launcher;
};
template <class F>
void visit(Plan& s, F&& f) {
  f("forest", s.forest, "folder of the forest");
  f("tokenizer", s.tokenizer, "byte-level BPE");
  f("model", s.model, "shape of every model");
  f("training", s.training, "of every model, unless its own part says otherwise");
  f("trainer", s.trainer, "a program that trains every model instead of btm");
  f("text_root", s.text_root, "folder that the domains' relative paths start from; empty: where btm runs");
  f("domains", s.domains, "bodies of text by provenance");
  f("seed", s.seed, "step 0: the first ancestor");
  f("cycles", s.cycles, "each branches and trains experts");
  f("evaluate", s.evaluate, "the results table");
  f("compare", s.compare, "baselines of equal training compute");
  f("launcher", s.launcher, "where the training runs");
}

// Reads the file, puts the overrides ("key.path=value") in, hands `training` down to the parts that don't set it, and
// checks what can be checked without reading text. Throws Error(input).
Plan load_plan(const std::filesystem::path& file, const std::vector<std::string>& overrides);

// Of a forest that is there: the settings that it was grown with last (forest.yaml), which need no other file. Throws
// Error(input).
Plan load_recorded_plan(const ForestPaths& paths);

// Whether model.from is away where it isn't needed any more: what was made of it, the forest's seed, is published.
bool is_model_away(const Plan& plan);

// Sets the folder, whose own files never count as text of a domain.
void set_forest(Plan& plan, const std::string& folder);

// Whether seed.domains is `all`: also those that join the plan when the seed is there, which have their own experts.
bool seeded_by_all(const Plan& plan);

std::vector<std::string> seed_domains(const Plan& plan);  // that it is trained on: none where it has no tokens

// The cycles [first, last) that train together: one that says what it waits for does with those before it.
struct CycleGroup {
  std::size_t first, last;
  std::size_t together = 0;  // experts of several cycles, as Training::train asks for them; 0: of one cycle
};
std::vector<CycleGroup> cycle_groups(const Plan& plan);

std::vector<std::string> domains_of_role(const Plan& plan, Role role);
const DomainSettings& find_domain(const Plan& plan, const std::string& name);

}  // namespace btm
