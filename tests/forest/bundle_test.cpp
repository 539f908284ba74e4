// Bundles from one forest to another: what arrives, and that nothing damaged or hostile does.
#include "btm/forest/bundle.h"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <functional>

#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/forest/edit_log.h"
#include "btm/forest/export.h"
#include "btm/forest/import.h"
#include "btm/forest/lineage.h"
#include "btm/forest/lineage_text.h"
#include "btm/forest/merge.h"
#include "btm/forest/remove.h"
#include "btm/model/checkpoint.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using test::expert_info;
using test::grow_expert;
using test::input_message;
using test::write_run;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// All files below a folder with their bytes.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) found[fs::relative(entry.path(), folder)] = read_file(entry.path());
  }
  found.erase("lock");
  return found;
}

// A bundle taken apart, to be put together again with something wrong in it and yet a right hash at its end: what
// someone could send who means harm.
struct Parts {
  Json header;
  std::string data;

  explicit Parts(const fs::path& path) {
    const std::string bytes = read_file(path);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    header = Json::parse(bytes.substr(8, length));
    data = bytes.substr(8 + length);
  }
  Json manifest() const { return Json::parse(header["__metadata__"]["btm"].get<std::string>()); }
  void set_manifest(const Json& manifest) { header["__metadata__"]["btm"] = manifest.dump(); }

  // Another file name each time: a mapping of the last one may still be open.
  static void seal(const fs::path& path, const std::string& header_text, std::string data) {
    const std::uint64_t length = header_text.size();
    data.resize(data.size() - kSealSize);
    std::string bytes = std::string(reinterpret_cast<const char*>(&length), 8) + header_text + data;
    write_file(path, bytes + sha256_hex(bytes));
  }
  void write(const fs::path& path) const { seal(path, header.dump(), data); }
};

double taint_of(const Forest& forest, const std::string& name) {
  const Lineage lineage = lineage_of(forest);
  return lineage.nodes.at(static_cast<std::size_t>(nodes_named(lineage, name).at(0))).taint;
}

// Two forests of one seed. theirs: a from the seed; in some tests b too, c from both, d from c.
struct Bundles : ::testing::Test {
  test::TemporaryFolder folder;
  ForestPaths theirs = test::plant(folder / "theirs"), ours = test::plant(folder / "ours");
  fs::path file = folder / "x.btm";

  Bundles() {
    grow_expert(theirs, "a", 1, {{"seed", 1, ""}});
    write_file(theirs.expert("a") / "metrics.jsonl", R"({"update":1,"tokens":500,"loss":2.5,"dev_loss":2.25})"
                                                     "\n{\"torn\":");
  }

  void grow_descendants() {
    grow_expert(theirs, "b", 1, {{"seed", 1, ""}});
    grow_expert(theirs, "c", 2, {{"a", 0.7, ""}, {"b", 0.3, ""}});
    grow_expert(theirs, "d", 3, {{"c", 1, ""}});
  }
  fs::path out(const std::string& name, bool delta = false) {
    export_expert(open_forest(theirs.root), name, file, {.delta = delta, .quiet = true});
    return file;
  }
  ImportOutcome in(const fs::path& bundle, const std::string& name = "") {
    return import_expert(ours, bundle, name, {.quiet = true});
  }
  // Says why, and has changed nothing.
  std::string refused(const fs::path& bundle, const std::string& name = "") {
    const auto before = contents(ours.root);
    std::string message = input_message([&] { in(bundle, name); });
    EXPECT_EQ(contents(ours.root), before) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  std::string refused_with(const std::function<void(Parts&)>& damage) {
    Parts parts(file);
    damage(parts);
    parts.write(folder / "hostile.btm");
    return refused(folder / "hostile.btm");
  }
  std::string refused_manifest(const std::function<void(Json&)>& damage) {
    return refused_with([&](Parts& parts) {
      Json manifest = parts.manifest();
      damage(manifest);
      parts.set_manifest(manifest);
    });
  }
};

TEST_F(Bundles, TheExpertArrivesAsItIs) {
  const ImportOutcome outcome = in(out("a"));
  EXPECT_FALSE(outcome.was_there);
  const Forest forest = open_forest(ours.root);
  ASSERT_EQ(forest.experts.size(), 1u);
  EXPECT_EQ(forest.experts[0].imported->name, "a");
  auto there = contents(theirs.expert("a")), here = contents(ours.expert("a"));
  EXPECT_EQ(here["metrics.jsonl"] + "{\"torn\":", there["metrics.jsonl"]);  // whole lines
  Json before = Json::parse(there["expert.json"]), after = Json::parse(here["expert.json"]);
  EXPECT_EQ(after["imported"]["ancestors"].size(), 1u);
  after.erase("imported");
  EXPECT_EQ(after, before);
  for (auto* files : {&there, &here}) {
    files->erase("metrics.jsonl");
    files->erase("expert.json");
    EXPECT_EQ(files->erase("SHA256SUMS"), 1u);  // of these two, among others
  }
  EXPECT_EQ(here, there);
  EXPECT_EQ(read_edits(ours.log()).at(0).edit, EditKind::import);
}

TEST_F(Bundles, DeltasGiveTheSameBytes) {
  grow_descendants();
  for (const char* name : {"a", "b", "c", "d"}) {  // c started from an average, which is made anew
    in(out(name, true), std::string("their_") + name);
    EXPECT_EQ(read_file(ours.expert(std::string("their_") + name) / "model.safetensors"),
              read_file(theirs.expert(name) / "model.safetensors"));
  }
  for (const auto& entry : fs::directory_iterator(ours.experts())) EXPECT_NE(entry.path().extension(), ".tmp");
  for (const auto& entry : fs::directory_iterator(folder.path())) EXPECT_NE(entry.path().extension(), ".tmp");
}

TEST_F(Bundles, DeltaNeedsItsParentsHere) {
  grow_descendants();
  EXPECT_THAT(refused(out("c", true)), HasSubstr("'a'"));
  in(out("a"), "other_name");
  EXPECT_THAT(refused(out("c", true)), HasSubstr("'b'"));
  in(out("b"));
  in(out("c", true));
  remove_expert(open_forest(theirs.root), "c", Descendants::keep);
  EXPECT_THAT(input_message([&] { out("d", true); }), HasSubstr("'c'"));
  out("d");  // whole, it can still go
}

TEST_F(Bundles, DeltaOfRandomWeightsIsRefused) {
  grow_expert(theirs, "r", 1, {});
  EXPECT_THAT(input_message([&] { out("r", true); }), HasSubstr("random weights"));
}

TEST_F(Bundles, TwiceIsThereAlready) {
  in(out("a"), "first");
  const auto before = contents(ours.root);
  for (const char* name : {"", "first", "second", "../x"}) {
    const ImportOutcome again = in(out("a"), name);
    EXPECT_TRUE(again.was_there);
    EXPECT_EQ(again.expert.name, "first");
  }
  EXPECT_EQ(contents(ours.root), before);
}

TEST_F(Bundles, LostFolderIsPutBack) {
  in(out("a"), "mine");
  const std::string log = read_file(ours.log());
  const auto before = contents(ours.expert("mine"));
  fs::remove_all(ours.expert("mine"));
  in(out("a"));
  EXPECT_EQ(contents(ours.expert("mine")), before);
  EXPECT_EQ(read_file(ours.log()), log);
}

TEST_F(Bundles, ALostFolderIsNotPutBackWithAnotherRecipe) {
  in(out("a"));
  fs::remove_all(ours.expert("a"));
  EXPECT_THAT(refused_manifest([](Json& m) {
                m["expert"]["recipe"]["tokens"] = 7;
                m["expert"]["recipe_sha256"] = recipe_sha256(m["expert"]["recipe"]);
              }),
              HasSubstr("another recipe"));
}

TEST_F(Bundles, NamesThatAreTakenOrNone) {
  out("a");
  for (const char* name : {"seed", "../x", "a/b", ".hidden", "a b", "x.tmp", "/etc/x"}) {
    EXPECT_THAT(refused(file, name), HasSubstr("can't be the name of an expert"));
  }
  grow_expert(ours, "a", 1, {{"seed", 1, ""}}, 77);
  fs::remove_all(ours.run("a"));
  EXPECT_THAT(refused(file), HasSubstr("--name"));
  make_folders(ours.run("busy"));
  EXPECT_THAT(refused(file, "busy"), HasSubstr("a run in progress"));
  in(file, "their_a");
}

// ---- lineage

TEST_F(Bundles, AncestorsAreKnownByTheirHashes) {
  grow_descendants();
  in(out("a"), "renamed");
  in(out("d"));
  grow_expert(ours, "c", 1, {{"seed", 1, ""}}, 5);  // no relation of theirs
  Lineage lineage = lineage_of(open_forest(ours.root));
  const Json json = lineage_json(lineage);
  std::map<std::string, Json> nodes;
  for (const Json& node : json["nodes"]) nodes[node["id"]] = node;
  const std::string their_c = "c@" + load_expert(theirs.expert("c")).weights_sha256.substr(0, 8);
  ASSERT_EQ(nodes.size(), 6u);  // seed, renamed, d, c; elsewhere their c and their b
  EXPECT_EQ(nodes[their_c]["state"], "elsewhere");
  EXPECT_EQ(nodes["b"]["state"], "elsewhere");
  std::map<std::string, double> edges;
  for (const Json& edge : json["edges"]) {
    edges[edge["from"].get<std::string>() + " " + edge["to"].get<std::string>()] = edge["weight"];
  }
  EXPECT_EQ(edges, (std::map<std::string, double>{{"seed renamed", 1},
                                                  {"seed c", 1},
                                                  {"seed b", 1},
                                                  {"renamed " + their_c, 0.7},
                                                  {"b " + their_c, 0.3},
                                                  {their_c + " d", 1}}));
  EXPECT_THAT(lineage_text(lineage), HasSubstr("(in another forest)"));
}

TEST_F(Bundles, RemovalTaintsThroughAncestorsElsewhere) {
  grow_descendants();
  in(out("a"), "renamed");
  in(out("d"));
  EXPECT_EQ(remove_expert(open_forest(ours.root), "renamed", Descendants::keep), std::vector<std::string>{"renamed"});
  const std::vector<Tainted> tainted = tainted_by(open_forest(ours.root), "renamed");
  ASSERT_EQ(tainted.size(), 1u);
  EXPECT_EQ(tainted[0].name, "d");
  EXPECT_DOUBLE_EQ(tainted[0].share, 0.7);
  remove_expert(open_forest(ours.root), "d", Descendants::keep);
  EXPECT_TRUE(open_forest(ours.root).experts.empty());
  in(out("d"));  // again, and still tainted
  EXPECT_DOUBLE_EQ(tainted_by(open_forest(ours.root), "renamed").at(0).share, 0.7);
}

TEST_F(Bundles, WhatCannotBeTrainedHereIsNotMarkedForIt) {
  grow_descendants();
  in(out("a"));
  in(out("d"));
  make_folders(ours.run("d"));
  write_file(ours.run("d") / "result.json", "{}");  // of a run that has nothing to do with the import
  remove_expert(open_forest(ours.root), "a", Descendants::retrain);
  const Forest forest = open_forest(ours.root);
  EXPECT_EQ(forest.removed.size(), 2u);
  EXPECT_TRUE(std::ranges::none_of(read_edits(ours.log()), &Edit::retrain));
  EXPECT_TRUE(fs::exists(ours.run("d")));
}

TEST_F(Bundles, ImportsNeitherUndoTheRemovalOfATrainedOneNorAreOneThemselves) {
  const auto removed_for_good = [this] { return open_forest(ours.root).removed_for_good; };
  const auto remove = [this](const char* name, Descendants descendants) {
    remove_expert(open_forest(ours.root), name, descendants);
  };
  grow_descendants();
  in(out("b"));
  remove("b", Descendants::keep);
  EXPECT_THAT(removed_for_good(), IsEmpty());
  grow_expert(ours, "a", 1, {{"seed", 1, ""}});
  remove("a", Descendants::keep);
  for (const char* name : {"a", "b"}) {  // the same weights, and others under that name
    in(out(name), "a");
    EXPECT_THAT(removed_for_good(), ElementsAre("a"));
    remove("a", Descendants::keep);
    EXPECT_THAT(removed_for_good(), ElementsAre("a"));
  }
  grow_expert(ours, "a", 1, {{"seed", 1, ""}});
  EXPECT_THAT(removed_for_good(), IsEmpty());
  grow_expert(ours, "e", 2, {{"a", 1, ""}});
  remove("a", Descendants::retrain);
  EXPECT_THAT(removed_for_good(), ElementsAre("a"));  // but not e
}

TEST_F(Bundles, ImportedAgainUnderAnotherNameItIsTheSameModel) {
  grow_expert(ours, "a", 1, {{"seed", 1, ""}});
  grow_expert(ours, "b", 1, {{"seed", 1, ""}});
  grow_expert(ours, "bi", 2, {{"a", 0.5, ""}, {"b", 0.5, ""}});
  remove_expert(open_forest(ours.root), "a", Descendants::keep);
  const auto taint = [this] { return taint_of(open_forest(ours.root), "bi"); };
  EXPECT_DOUBLE_EQ(taint(), 0.5);
  in(out("a"), "again");
  EXPECT_DOUBLE_EQ(taint(), 0);
  for (const char* name : {"a", "again"}) {
    const std::vector<Tainted> tainted = tainted_by(open_forest(ours.root), name);
    ASSERT_EQ(tainted.size(), 1u) << name;
    EXPECT_EQ(tainted[0].name, "bi");
    EXPECT_DOUBLE_EQ(tainted[0].share, 0.5);
  }
  EXPECT_THAT(removal_of(open_forest(ours.root), "again", true), ElementsAre("bi", "again"));
  EXPECT_THAT(removal_of(open_forest(ours.root), "a", true), ElementsAre("bi"));
  remove_expert(open_forest(ours.root), "again", Descendants::keep);
  EXPECT_DOUBLE_EQ(taint(), 0.5);
  for (const char* name : {"a", "again"}) {
    EXPECT_THAT(removal_of(open_forest(ours.root), name, true), ElementsAre("bi")) << name;
  }
}

TEST_F(Bundles, TheCommandOfAnotherTrainerStaysAtHome) {
  const std::string command = "/home/jo/train.sh {init} {output}";
  ExpertInfo info = expert_info("t", 1, {{"seed", 1, ""}});
  info.recipe["trainer"] = command;
  write_run(theirs.run("t"), 5);
  merge_expert(theirs, theirs.run("t"), info);
  EXPECT_THAT(read_file(out("t")), testing::Not(HasSubstr("/home/jo")));
  in(file);
  const Json recipe = load_expert(ours.expert("t")).recipe;
  EXPECT_EQ(recipe["trainer_sha256"], sha256_hex(command));
  EXPECT_FALSE(recipe.contains("trainer"));
}

TEST_F(Bundles, PassedOnItKeepsItsLineage) {
  grow_descendants();
  in(out("d"), "e");
  ForestPaths third = test::plant(folder / "third");
  export_expert(open_forest(ours.root), "e", file, {.quiet = true});
  import_expert(third, file, "", {.quiet = true});
  const Origin first = *load_expert(ours.expert("e")).imported, second = *load_expert(third.expert("e")).imported;
  EXPECT_EQ(first.name, "d");
  EXPECT_EQ(second.name, "e");
  EXPECT_EQ(settings_json(second.ancestors), settings_json(first.ancestors));
  EXPECT_EQ(second.ancestors.size(), 4u);  // c, a, b, seed
}

// ---- what does not fit

TEST_F(Bundles, OtherForests) {
  out("a");
  ForestPaths empty{folder / "empty"};
  make_folders(empty.root);
  EXPECT_THAT(input_message([&] { import_expert(empty, file, "", {.quiet = true}); }),
              HasSubstr("grow its seed first"));
  ModelConfig deep = test::tiny_config();
  deep.layers = 2;
  ForestPaths other{folder / "other"};
  write_run(other.run("seed"), 1, deep);
  publish_model(other.seed(), other.run("seed"), expert_info("seed", 0, {}));
  EXPECT_THAT(input_message([&] { import_expert(other, file, "", {.quiet = true}); }),
              HasSubstr("layers is 2 there and 1 here"));
  ForestPaths foreign{folder / "foreign"};
  write_run(foreign.run("seed"), 1, test::tiny_config(), "{\"another\": 1}");
  publish_model(foreign.seed(), foreign.run("seed"), expert_info("seed", 0, {}));
  EXPECT_THAT(input_message([&] { import_expert(foreign, file, "", {.quiet = true}); }), HasSubstr("tokenizer"));
  EXPECT_THAT(input_message([&] { import_expert(ours, theirs.log(), "", {.quiet = true}); }), HasSubstr("log.jsonl"));
  EXPECT_THAT(refused(theirs.expert("a") / "model.safetensors"), HasSubstr("not a bundle"));
}

TEST_F(Bundles, NothingElseIsReplaced) {
  const auto before = contents(theirs.root);
  write_file(file, "my notes");
  EXPECT_THAT(input_message([&] { out("a"); }), HasSubstr("is no bundle"));
  EXPECT_EQ(read_file(file), "my notes");
  fs::create_directory_symlink(theirs.root, folder / "link");
  for (const fs::path& inside : {theirs.expert("a") / "model.safetensors", theirs.root / "a.btm", folder / "link/x"}) {
    EXPECT_THAT(input_message([&] { export_expert(open_forest(theirs.root), "a", inside, {.quiet = true}); }),
                HasSubstr("inside the forest"));
  }
  EXPECT_EQ(contents(theirs.root), before);
  fs::remove(file);
  out("a");
  out("a");  // a bundle may be made anew
}

TEST_F(Bundles, WeightsThatCannotBeExported) {
  EXPECT_THAT(input_message([&] { out("e"); }), HasSubstr("no expert 'e'"));
  const fs::path weights = theirs.expert("a") / "model.safetensors";
  std::string bytes = read_file(weights);
  bytes.back() ^= 1;
  write_file(weights, bytes);
  EXPECT_THAT(input_message([&] { out("a"); }), HasSubstr("damaged"));
  bytes.replace(bytes.find("\"pt\""), 4, "\"np\"");
  write_file(weights, bytes);
  EXPECT_THAT(input_message([&] { out("a"); }), HasSubstr("not as btm writes it"));
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(Bundles, DamagedModelsHereAreFound) {
  out("a", true);
  std::string bytes = read_file(ours.seed() / "model.safetensors");
  bytes[bytes.size() - 3] ^= 1;
  write_file(ours.seed() / "model.safetensors", bytes);
  EXPECT_THAT(refused(file), HasSubstr("a model here that it is a delta to is damaged"));
}

// ---- damage

// A file in memory, for thousands of versions of it.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& bytes) { put(0, bytes); }
  ~MemoryFile() { ::close(descriptor_); }
  void put(std::size_t at, std::string_view bytes) {
    ASSERT_EQ(::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at)),
              static_cast<ssize_t>(bytes.size()));
  }
  void cut(std::size_t size) { ASSERT_EQ(::ftruncate(descriptor_, static_cast<off_t>(size)), 0); }
  fs::path path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

 private:
  int descriptor_ = ::memfd_create("bundle", 0);
};

// Every byte of a small bundle, whole and as a delta.
TEST_F(Bundles, FlippedBytesAreFound) {
  for (bool delta : {false, true}) {
    const std::string whole = read_file(out("a", delta));
    MemoryFile broken(whole);
    open_bundle(broken.path());
    for (std::size_t at = 0; at < whole.size(); ++at) {
      broken.put(at, std::string(1, static_cast<char>(whole[at] ^ static_cast<char>(1 + at * 37 % 255))));
      EXPECT_NE(input_message([&] { open_bundle(broken.path()); }), "") << at;
      broken.put(at, whole.substr(at, 1));
    }
  }
}

TEST_F(Bundles, TruncatedAnywhere) {
  const std::string whole = read_file(out("a"));
  MemoryFile broken(whole + "x");
  EXPECT_NE(input_message([&] { open_bundle(broken.path()); }), "");  // a byte too many
  for (std::size_t size = whole.size(); size-- > 0;) {
    broken.cut(size);
    EXPECT_NE(input_message([&] { open_bundle(broken.path()); }), "") << size;
  }
}

// ---- malice: all of it with a right hash

TEST_F(Bundles, ClaimsOfAHugeHeader) {
  out("a");
  std::string bytes = read_file(file);
  for (std::uint64_t length : {std::uint64_t{1} << 62, std::uint64_t{90'000'000}, std::uint64_t{bytes.size()}}) {
    std::memcpy(bytes.data(), &length, sizeof length);
    write_file(folder / "hostile.btm", bytes);
    EXPECT_THAT(refused(folder / "hostile.btm"), HasSubstr("header"));
  }
  const Parts parts(file);
  Parts::seal(folder / "deep.btm", std::string(2'000'000, '['), parts.data);
  EXPECT_THAT(refused(folder / "deep.btm"), HasSubstr("nested"));
  Json manifest = parts.manifest();
  std::string text = manifest.dump();
  text.replace(text.find("\"recipe\":{"), 10,
               "\"recipe\":{\"x\":" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + ",");
  Parts nested = parts;
  nested.header["__metadata__"]["btm"] = text;
  nested.write(folder / "nested.btm");
  EXPECT_THAT(refused(folder / "nested.btm"), HasSubstr("nested"));
}

TEST_F(Bundles, TensorsThatAreNotWhereTheyBelong) {
  out("a");
  const std::string first = "transformer.wte.weight", last = "transformer.ln_f.bias";
  auto rename = [&](const std::string& to) {
    return refused_with([&](Parts& parts) {
      Json header = Json::object();
      for (const auto& [name, entry] : parts.header.items()) header[name == first ? to : name] = entry;
      parts.header = header;
    });
  };
  for (const char* name : {"../../x", "/etc/passwd", "experts/a/model.safetensors"}) {
    EXPECT_THAT(rename(name), HasSubstr("has to be"));
  }
  EXPECT_THAT(rename("\x1b[2J"), HasSubstr("control characters"));
  auto change = [&](const std::string& tensor, const char* key, const Json& value) {
    return refused_with([&](Parts& parts) { parts.header[tensor][key] = value; });
  };
  EXPECT_THAT(change(first, "dtype", "I32"), HasSubstr("dtype I32, expected F32"));
  EXPECT_THAT(change(first, "shape", {8, 16}), HasSubstr("shape [8, 16]"));
  EXPECT_THAT(change(last, "data_offsets", {0, 32}), HasSubstr("overlap"));
  EXPECT_THAT(change(last, "data_offsets", {1 << 30, (1 << 30) + 32}), HasSubstr("truncated"));
  EXPECT_THAT(refused_with([&](Parts& parts) { parts.header[first].erase("shape"); }), HasSubstr("lacks"));
  EXPECT_THAT(refused_with([&](Parts& parts) { parts.header.erase(last); }), HasSubstr("gap"));
  const Parts parts(file);
  std::string twice = parts.header.dump();
  twice.replace(twice.find(last), last.size(), first);
  Parts::seal(folder / "twice.btm", twice, parts.data);
  EXPECT_THAT(refused(folder / "twice.btm"), HasSubstr("twice"));
}

TEST_F(Bundles, WeightsThatAreOthersOrNotFinite) {
  out("a");
  EXPECT_THAT(refused_with([](Parts& parts) { parts.data[0] ^= 1; }), HasSubstr("its manifest says"));
  const Parts parts(file);
  const std::vector<TensorInfo> tensors = saved_tensors(test::tiny_config());
  std::size_t size = 0;
  for (const TensorInfo& tensor : tensors) size += static_cast<std::size_t>(element_count(tensor)) * sizeof(float);
  EXPECT_THAT(refused_with([&](Parts& nan) {
                nan.data.replace(0, 4, "\x00\x00\xc0\x7f", 4);
                Json manifest = nan.manifest();
                manifest["expert"]["weights_sha256"] =
                    sha256_hex(safetensors_header(tensors) + nan.data.substr(0, size));
                nan.set_manifest(manifest);
              }),
              HasSubstr("NaN"));
}

TEST_F(Bundles, ManifestsThatAreNotBtms) {
  grow_descendants();
  out("c");
  using J = Json;
  EXPECT_THAT(refused_manifest([](J& m) { m["bundle"] = 2; }), HasSubstr("newer btm"));
  EXPECT_THAT(refused_manifest([](J& m) { m["extra"] = 1; }), HasSubstr("key"));
  EXPECT_THAT(refused_manifest([](J& m) { m.erase("delta"); }), HasSubstr("delta"));
  EXPECT_THAT(refused_manifest([](J& m) { m["delta"] = 1; }), HasSubstr("delta"));
  EXPECT_THAT(refused_manifest([](J& m) { m["delta"] = true; }), HasSubstr("dtype F32, expected U8"));
  EXPECT_THAT(refused_manifest([](J& m) { m = J::array(); }), HasSubstr("JSON object"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["recipe"]["tokens"] = 7; }), HasSubstr("recipe_sha256"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["surprise"] = 7; }), HasSubstr("surprise"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["imported"] = J::object(); }), HasSubstr("doesn't know"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["kind"] = "seed"; }), HasSubstr("kind"));
  for (const char* name : {"../x", "/etc/x", "seed", "", ".x", "a/b"}) {
    EXPECT_THAT(refused_manifest([&](J& m) { m["expert"]["name"] = name; }), HasSubstr("name"));
  }
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["domains"] = {"../../x"}; }), HasSubstr("../../x"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["tool_version"] = "\x1b[2J"; }), HasSubstr("control characters"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["cycle"] = 2'000'000'000; }), HasSubstr("cycle"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["dev_loss"] = "nan"; }), HasSubstr("dev_loss"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["flops"] = -1; }), HasSubstr("flops"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["parents"][0]["weight"] = 5; }), HasSubstr("sum to"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["parents"][0]["sha256"] = "00"; }), HasSubstr("SHA-256"));
  EXPECT_THAT(refused_manifest([](J& m) { m["ancestors"].erase(0); }), HasSubstr("not among the ancestors"));
  EXPECT_THAT(refused_manifest([](J& m) { m["config"]["n_layer"] = 1 << 30; }), HasSubstr("layers"));
  EXPECT_THAT(refused_manifest([](J& m) { m["config"] = 5; }), HasSubstr("JSON object"));
  EXPECT_THAT(refused_manifest([](J& m) { m["expert"]["tokenizer_sha256"] = std::string(64, '0'); }),
              HasSubstr("tokenizer"));
}

TEST_F(Bundles, MetricsThatAreText) {
  out("a");
  for (const char* line :
       {R"({"update":1,"tokens":1,"loss":1,"note":"text"})", R"({"update":1,"tokens":1,"loss":"text"})", "text",
        R"({"update":-1,"tokens":1,"loss":1})", R"({"update":1,"tokens":1})", "[1]"}) {
    EXPECT_THAT(
        refused_with([&](Parts& parts) {
          const std::int64_t begin = parts.header["btm.metrics"]["data_offsets"][0];
          const auto end = begin + static_cast<std::int64_t>(std::string(line).size()) + 1;
          parts.header["btm.metrics"] = {{"dtype", "U8"}, {"shape", {end - begin}}, {"data_offsets", {begin, end}}};
          parts.header["btm.sha256"]["data_offsets"] = {end, end + 64};
          parts.data = parts.data.substr(0, static_cast<std::size_t>(begin)) + line + "\n" + std::string(64, '0');
        }),
        HasSubstr("btm.metrics"));
  }
}

// The first tensor of a delta replaced by these bytes.
void replace_first(Parts& parts, const std::string& packed) {
  const std::string first = "transformer.wte.weight";
  const std::int64_t old = parts.header[first]["data_offsets"][1],
                     grown = static_cast<std::int64_t>(packed.size()) - old;
  parts.data.replace(0, static_cast<std::size_t>(old), packed);
  for (auto& [name, entry] : parts.header.items()) {
    if (name == "__metadata__") continue;
    for (Json& offset : entry["data_offsets"]) {
      if (name != first) offset = offset.get<std::int64_t>() + grown;
    }
  }
  parts.header[first] = {{"dtype", "U8"}, {"shape", {packed.size()}}, {"data_offsets", {0, packed.size()}}};
}

std::string zstd(const std::string& bytes) {
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), bytes.data(), bytes.size(), 19));
  return frame;
}

TEST_F(Bundles, DeltasThatUnpackToOtherThanTheTensor) {
  out("a", true);
  const std::size_t size = 16 * 8 * sizeof(float);
  const std::string right = zstd(std::string(size, '\0'));
  for (const std::string& packed :
       {zstd(std::string(100'000'000, '\0')), zstd(std::string(size + 1, '\0')), zstd(std::string(size - 1, '\0')),
        right + right, right + "x", right.substr(0, right.size() - 1), std::string(), std::string("not zstd"),
        zstd("") + right, std::string("\x50\x2a\x4d\x18\xff\xff\xff\x7f", 8)}) {
    EXPECT_THAT(refused_with([&](Parts& parts) { replace_first(parts, packed); }), HasSubstr("difference"));
  }
  // A frame whose header claims a terabyte (a single segment, eight bytes of content size).
  std::string claim = std::string("\x28\xb5\x2f\xfd\xe0", 5) + std::string("\0\0\0\0\0\x01\0\0", 8) + "\x01\0\0";
  EXPECT_THAT(refused_with([&](Parts& parts) { replace_first(parts, claim); }), HasSubstr("difference"));
  EXPECT_THAT(refused_with([&](Parts& parts) { replace_first(parts, right); }), HasSubstr("its manifest says"));
}

}  // namespace
}  // namespace btm
