// The commands on the forest's state, as main.cpp calls them.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "btm/core/file_lock.h"
#include "btm/core/files.h"
#include "btm/forest/forest.h"
#include "btm/model/average.h"
#include "btm/model/checkpoint.h"
#include "btm/train/event_file.h"
#include "btm/train/result.h"
#include "btm/train/run_status.h"
#include "btm/train/run_training.h"
#include "cli/command.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using test::grow_expert;
using test::input_message;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// What the command prints on stdout.
std::string btm(const std::vector<std::string>& arguments) {
  CLI::App app;
  app.require_subcommand(1);
  for (auto add : {add_ls, add_show, add_lineage, add_remove, add_merge}) add(app);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  ::testing::internal::CaptureStdout();
  try {
    app.parse(reversed);
  } catch (...) {
    ::testing::internal::GetCapturedStdout();
    throw;
  }
  return ::testing::internal::GetCapturedStdout();
}

struct Commands : ::testing::Test {
  test::TemporaryFolder folder;
  ForestPaths paths = test::plant(folder.path());
  std::string root = folder.path().string();

  Commands() {
    grow_expert(paths, "python", 1, {{"seed", 1, ""}});
    grow_expert(paths, "rust", 2, {{"seed", 0.25, ""}, {"python", 0.75, ""}});
  }

  // A finished run as btm train leaves it.
  std::string run(const std::string& name, const fs::path& init, std::uint64_t seed = 5) {
    test::write_run(paths.run(name), seed);
    TrainingJob job;
    job.name = name;
    job.init = init;
    job.init_sha256 = init.empty() ? "" : weights_sha256(init);
    job.tokenizer = paths.tokenizer();
    job.model = test::tiny_config();
    job.tokens = 5000;
    job.data = {{"ruby", paths.tokens("ruby"), "train hash"}};
    save_job(paths.run(name), job);
    TrainingResult result;
    result.tokens = 4096;
    result.updates = 4;
    result.dev_loss = 2;
    save_result(paths.run(name), result);
    return paths.run(name).string();
  }
};

TEST_F(Commands, LsShowsModelsAndRuns) {
  RunStatus status;
  status.update = 3;
  status.updates = 12;
  save_status(paths.run("ruby").parent_path() / "rust", status);  // merged: not listed
  save_job(paths.run("ruby"), {});
  save_status(paths.run("ruby"), status);
  save_job(paths.run("perl"), {});
  std::string text = btm({"ls", root});
  EXPECT_THAT(text, HasSubstr("0.25 seed + 0.75 python"));
  EXPECT_THAT(text, HasSubstr("1.25G"));
  EXPECT_THAT(text, HasSubstr("22.76"));  // exp(3.125)
  EXPECT_THAT(text, ContainsRegex("ruby  running  [^ ]+  +3/12  25 %"));
  EXPECT_THAT(text, HasSubstr("perl  waiting"));
  EXPECT_THAT(text, Not(HasSubstr("rust  running")));
  Json json = Json::parse(btm({"ls", root, "--json"}));
  EXPECT_EQ(json["experts"].size(), 2u);
  EXPECT_EQ(json["experts"][1]["parents"][1]["weight"], 0.75);
  EXPECT_EQ(json["runs"][0]["name"], "perl");
  EXPECT_EQ(json["runs"][1]["name"], "ruby");
  EXPECT_EQ(json["seed"]["name"], "seed");
}

TEST_F(Commands, LsOfWhatIsNoForest) {
  EXPECT_THAT(input_message([] { btm({"ls", "/no/such/forest"}); }), HasSubstr("/no/such/forest: no forest there"));
  EXPECT_THAT(input_message([&] { btm({"ls", paths.seed().string()}); }), HasSubstr("no forest there"));
  test::TemporaryFolder empty;
  EXPECT_EQ(btm({"ls", empty.path().string()}), "no models yet\n");
  test::TemporaryFolder project;  // whose forests lie in runs/
  fs::create_directories(project.path() / "runs/mine/experts");
  EXPECT_THAT(input_message([&] { btm({"ls", project.path().string()}); }), HasSubstr("no forest there"));
}

TEST_F(Commands, ShowAlsoRemovedOnes) {
  std::string text = btm({"show", root, "python"});
  EXPECT_THAT(text, HasSubstr("python: expert of cycle 1\n"));
  EXPECT_THAT(text, HasSubstr("rust (75.0 %)"));
  EXPECT_THAT(text, HasSubstr("learning_rate: 0.002"));
  EXPECT_EQ(Json::parse(btm({"show", root, "rust", "--json"}))["recipe"]["training"]["clip"], 1.0);
  btm({"remove", root, "python", "--yes"});
  EXPECT_THAT(btm({"show", root, "python"}), HasSubstr("python: expert of cycle 1, removed 20"));
  EXPECT_THAT(btm({"show", root, "rust"}), HasSubstr("75.0 % of its initial weights came from removed experts"));
  EXPECT_THAT(input_message([&] { btm({"show", root, "rusty"}); }), HasSubstr("did you mean 'rust'?"));
  EXPECT_THAT(btm({"show", root, "seed"}), HasSubstr("seed: seed\n"));
}

TEST_F(Commands, LineageInThreeForms) {
  EXPECT_THAT(btm({"lineage", root}), HasSubstr("└── python, cycle 1, from 1 seed"));
  EXPECT_EQ(Json::parse(btm({"lineage", root, "--json"}))["edges"].size(), 3u);
  EXPECT_THAT(btm({"lineage", root, "--dot"}), HasSubstr("\"python\" -> \"rust\" [label=\"0.75\"]"));
}

TEST_F(Commands, RemoveListsTheTainted) {
  std::string text = btm({"remove", root, "python", "--yes"});
  EXPECT_THAT(text, HasSubstr("rust has 75.0 % of its initial weights from python: stays, tainted"));
  EXPECT_THAT(text, HasSubstr("removed python\n"));
  EXPECT_THAT(btm({"ls", root}), HasSubstr("tainted: rust (75.0 %"));
  EXPECT_THAT(btm({"remove", root, "python", "--yes", "--descendants"}), HasSubstr("removed rust\n"));
  EXPECT_TRUE(open_forest(folder.path()).experts.empty());
}

TEST_F(Commands, MergeFindsParentsByTheirWeights) {
  btm({"merge", root, run("ruby", paths.expert("rust"))});
  ExpertInfo info = load_expert(paths.expert("ruby"));
  EXPECT_EQ(info.cycle, 3);
  EXPECT_EQ(info.domains, std::vector<std::string>{"ruby"});
  EXPECT_EQ(info.parents.at(0).name, "rust");
  EXPECT_EQ(info.tokens, 4096);
  EXPECT_EQ(info.recipe["tokens"], 5000);
  EXPECT_EQ(info.recipe["domains"]["ruby"], "train hash");
  EXPECT_GT(fs::file_size(event_file(paths.tensorboard("ruby"))), 0u);
  EXPECT_THAT(btm({"merge", root, run("ruby", paths.expert("rust"))}), HasSubstr("merged already"));
}

TEST_F(Commands, MergeReadsTheSourcesOfAnAverage) {
  fs::path init = paths.branch("ruby");
  make_folders(init);
  auto source = [](const fs::path& model, double weight) {
    return WeightedFolder{model, weight, {}, load_expert(model).weights_sha256};
  };
  average_checkpoints({source(paths.seed(), 1), source(paths.expert("python"), 3)}, init);
  for (const char* domain : {"x", "y"}) make_folders(paths.tokens(domain));
  btm({"merge", root, run("ruby", init), "--name", "gem", "--domain", "x", "--domain", "y", "--cycle", "7"});
  ExpertInfo info = load_expert(paths.expert("gem"));
  ASSERT_EQ(info.parents.size(), 2u);
  EXPECT_EQ(info.parents[1].name, "python");
  EXPECT_EQ(info.parents[1].weight, 0.75);
  EXPECT_EQ(info.cycle, 7);
  EXPECT_EQ(info.domains, (std::vector<std::string>{"x", "y"}));
}

TEST_F(Commands, MergeWithNamedParents) {
  std::string ruby = run("ruby", "");
  btm({"merge", root, ruby, "--parent", "python=1", "--parent", "seed=3"});
  EXPECT_EQ(load_expert(paths.expert("ruby")).parents.at(1).weight, 0.75);
  for (const char* bad : {"python=x", "python=", "python=-1", "python=nan"}) {
    EXPECT_THAT(input_message([&] {
                  btm({"merge", root, ruby, "--name", "r", "--parent", bad});
                }),
                HasSubstr("NAME=WEIGHT"));
  }
}

TEST_F(Commands, MergeRefusesParentsThatAreNotAndWeightsThatAreThere) {
  const std::string ruby = run("ruby", paths.expert("rust"));
  EXPECT_THAT(input_message([&] {
                btm({"merge", root, ruby, "--parent", "seed=1"});
              }),
              HasSubstr("the run started from rust"));
  btm({"merge", root, ruby, "--parent", "rust=1"});
  EXPECT_THAT(input_message([&] {
                btm({"merge", root, ruby, "--name", "again"});
              }),
              HasSubstr("has this expert already, as ruby"));
  EXPECT_THAT(btm({"merge", root, ruby}), HasSubstr("merged already"));
}

TEST_F(Commands, MergeOfAStrangersWeightsAsksForParents) {
  test::write_run(folder / "runs" / "stranger", 77);
  std::string ruby = run("ruby", folder / "runs" / "stranger" / "model");
  EXPECT_THAT(input_message([&] { btm({"merge", root, ruby}); }), HasSubstr("--parent NAME=WEIGHT"));
}

TEST_F(Commands, MergeOfAnUnfinishedRun) {
  std::string ruby = run("ruby", "");
  fs::remove(paths.run("ruby") / "result.json");
  EXPECT_THAT(input_message([&] { btm({"merge", root, ruby}); }), HasSubstr("isn't finished"));
  EXPECT_THAT(input_message([&] { btm({"merge", root, root + "/runs/nothing"}); }), HasSubstr("no run there"));
}

TEST_F(Commands, AnotherProcessHoldsTheLock) {
  int ready[2], done[2];
  ASSERT_EQ(pipe(ready) | pipe(done), 0);
  pid_t child = fork();
  if (child == 0) {
    FileLock lock(paths.lock(), "child");
    char byte = 0;
    _exit(::write(ready[1], "x", 1) == 1 && ::read(done[0], &byte, 1) == 1 ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  std::string ruby = run("ruby", "");
  std::string holder = fmt::format("process {}", child);
  EXPECT_THAT(input_message([&] { btm({"remove", root, "rust", "--yes"}); }), HasSubstr(holder));
  EXPECT_THAT(input_message([&] { btm({"merge", root, ruby}); }), HasSubstr(holder));
  EXPECT_THAT(btm({"ls", root}), HasSubstr("rust"));  // reading goes on
  ASSERT_EQ(::write(done[1], "x", 1), 1);
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  btm({"remove", root, "rust", "--yes"});
  EXPECT_FALSE(fs::exists(paths.expert("rust")));
}

// Without the rights of root, who may read and write everywhere.
template <class F>
void as_nobody(F&& f) {
  constexpr uid_t kNobody = 65534;
  uid_t self = ::geteuid();
  ASSERT_EQ(self == 0 ? ::seteuid(kNobody) : 0, 0);
  f();
  ASSERT_EQ(self == 0 ? ::seteuid(self) : 0, 0);
}

TEST_F(Commands, ReadOnlyForest) {
  fs::permissions(folder.path(), static_cast<fs::perms>(0555));
  as_nobody([&] {
    EXPECT_THAT(input_message([&] { btm({"remove", root, "rust", "--yes"}); }), HasSubstr("can't be written"));
    EXPECT_THAT(btm({"ls", root}), HasSubstr("rust"));
  });
  fs::permissions(folder.path(), fs::perms::owner_all);
  EXPECT_TRUE(fs::exists(paths.expert("rust")));
}

TEST_F(Commands, UnreadableForest) {
  fs::permissions(folder.path(), fs::perms::none);
  as_nobody([&] { EXPECT_THAT(input_message([&] { btm({"ls", root}); }), HasSubstr("can't be read")); });
  fs::permissions(folder.path(), fs::perms::owner_all);
}

}  // namespace
}  // namespace btm
