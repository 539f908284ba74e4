#include "btm/plan/neighbours.h"

#include <gtest/gtest.h>

#include "btm/core/files.h"
#include "btm/core/folders.h"
#include "btm/core/sums.h"
#include "btm/data/documents.h"
#include "btm/forest/merge.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

ExpertInfo info_of(const std::string& name, bool demix = false) {
  ExpertInfo info = test::expert_info(name, 1, {});
  info.recipe = {{"of", demix ? "demix" : name}, {"demix", demix}};
  return info;
}

TEST(Neighbours, HaveWhatWasTrainedThereNotWhatWasImported) {
  const test::TemporaryFolder folder;
  const ForestPaths paths = test::plant(folder / "forest");
  for (const char* name : {"own", "guest"}) {
    ExpertInfo info = info_of(name);
    if (info.name == "guest") info.imported = Origin{"guest", {}};
    test::write_run(paths.run(name), 5);
    merge_expert(paths, paths.run(name), info);
  }
  const Neighbours neighbours({paths.root});
  const auto found = [&](const char* name) {
    return neighbours.find_model(load_expert(paths.expert(name)).recipe_sha256);
  };
  EXPECT_TRUE(found("own") == paths.expert("own"));
  EXPECT_FALSE(found("guest").has_value());
}

TEST(Neighbours, GiveADemixModelAsASet) {
  const test::TemporaryFolder folder;
  const ForestPaths paths = test::plant(folder / "forest");
  const fs::path run = paths.run("demix");
  make_folders(run / "model");
  for (const char* name : {"a", "b"}) {
    test::write_run(folder / name, 5);
    fs::rename(folder / name / "model", run / "model" / name);
  }
  write_file(run / "metrics.jsonl", "{}\n");
  publish_models(paths.comparison("demix"), run, {info_of("a", true), info_of("b", true)});
  const std::string recipe = load_expert(paths.comparison("demix") / "a").recipe_sha256;
  const auto found = Neighbours({paths.root}).find_model(recipe);
  ASSERT_TRUE(found == paths.comparison("demix"));
  adopt_model(*found, folder / "run");
  for (const char* name : {"a", "b"}) EXPECT_TRUE(fs::exists(folder / "run" / "model" / name / kWeightsFile)) << name;
  EXPECT_EQ(read_file(folder / "run" / "metrics.jsonl"), "{}\n");
}

TEST(Neighbours, GiveWholeTokensOfTheSameFilesByTheSameTokenizerAlone) {
  const test::TemporaryFolder folder;
  TextSettings text, other;
  text.text = {folder.write("one.txt", "x").string()};
  other.text = {folder.write("two.txt", "y").string()};
  const ForestPaths paths{folder / "forest"};
  DomainReport report;
  report.name = "d";
  report.files_sha256 = files_sha256(text, "d");
  report.tokenizer_sha256 = "tokenizer";
  make_folders(paths.tokens("d"));
  save_domain_report(report, paths.tokens("d"));
  write_file(paths.tokens("d") / "train.bin", "tokens");
  write_sums(paths.tokens("d"));
  const Neighbours neighbours({paths.root});
  EXPECT_FALSE(neighbours.take_tokens("d", other, "tokenizer", folder / "taken"));
  EXPECT_FALSE(neighbours.take_tokens("d", text, "another", folder / "taken"));
  write_file(paths.tokens("d") / "train.bin", "tokenz");
  EXPECT_FALSE(neighbours.take_tokens("d", text, "tokenizer", folder / "taken")) << "damaged";
  EXPECT_FALSE(fs::exists(folder / "taken"));
  write_file(paths.tokens("d") / "train.bin", "tokens");
  EXPECT_TRUE(neighbours.take_tokens("d", text, "tokenizer", folder / "taken"));
  EXPECT_EQ(load_domain_report(folder / "taken").files_sha256, report.files_sha256);
}

}  // namespace
}  // namespace btm
