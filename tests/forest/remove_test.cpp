#include "btm/forest/remove.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "btm/core/file_lock.h"
#include "btm/core/files.h"
#include "btm/forest/edit_log.h"
#include "btm/forest/forest.h"
#include "btm/forest/lineage.h"
#include "tests/forest/runs.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using test::grow_expert;
using test::input_message;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> names_of(const std::vector<ExpertInfo>& experts) {
  std::vector<std::string> found;
  for (const ExpertInfo& info : experts) found.push_back(info.name);
  return found;
}

// seed -> a, b; c from a and b; d from c.
struct Remove : ::testing::Test {
  test::TemporaryFolder folder;
  ForestPaths paths = test::plant(folder.path());

  Remove() {
    grow_expert(paths, "a", 1, {{"seed", 1, ""}});
    grow_expert(paths, "b", 1, {{"seed", 1, ""}});
    grow_expert(paths, "c", 2, {{"a", 0.75, ""}, {"b", 0.25, ""}});
    grow_expert(paths, "d", 3, {{"c", 1, ""}});
  }
  Forest forest() const { return open_forest(paths.root); }
};

TEST_F(Remove, LeavesTaintedDescendants) {
  for (const char* name : {"a", "b"}) make_folders(paths.tensorboard(name));
  EXPECT_THAT(remove_expert(forest(), "a", Descendants::keep), ElementsAre("a"));
  Forest after = forest();
  EXPECT_THAT(names_of(after.experts), ElementsAre("b", "c", "d"));
  EXPECT_THAT(names_of(after.removed), ElementsAre("a"));
  EXPECT_FALSE(fs::exists(paths.expert("a")));
  EXPECT_FALSE(fs::exists(paths.run("a")));
  EXPECT_TRUE(fs::exists(paths.run("b")));
  EXPECT_FALSE(fs::exists(paths.tensorboard("a")));
  EXPECT_TRUE(fs::exists(paths.tensorboard("b")));
  std::vector<Tainted> tainted = tainted_by(after, "a");
  ASSERT_EQ(tainted.size(), 2u);
  EXPECT_DOUBLE_EQ(tainted[1].share, 0.75);
  EXPECT_EQ(after.removed[0].domains, std::vector<std::string>{"a"});  // out of the log
  EXPECT_EQ(after.removed[0].tokens, 1000);
}

TEST_F(Remove, TakesDescendantsYoungestFirst) {
  EXPECT_THAT(remove_expert(forest(), "a", Descendants::remove), ElementsAre("d", "c", "a"));
  EXPECT_THAT(names_of(forest().experts), ElementsAre("b"));
}

TEST_F(Remove, DescendantsOfOneRemovedBeforeCanFollow) {
  remove_expert(forest(), "a", Descendants::keep);
  EXPECT_TRUE(remove_expert(forest(), "a", Descendants::keep).empty());
  EXPECT_THAT(remove_expert(forest(), "a", Descendants::remove), ElementsAre("d", "c"));
}

TEST_F(Remove, MergeAfterRemoval) {
  remove_expert(forest(), "a", Descendants::keep);
  grow_expert(paths, "a", 1, {{"seed", 1, ""}}, 99);  // other weights: another node
  Forest after = forest();
  EXPECT_THAT(names_of(after.experts), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(names_of(after.removed), ElementsAre("a"));
  EXPECT_DOUBLE_EQ(lineage_of(after).nodes[3].taint, 0.75);
  remove_expert(after, "a", Descendants::keep);
  grow_expert(paths, "a", 1, {{"seed", 1, ""}});  // the first weights: the first node, so nothing is tainted any more
  after = forest();
  EXPECT_THAT(names_of(after.removed), ElementsAre("a"));
  EXPECT_DOUBLE_EQ(lineage_of(after).nodes[3].taint, 0);
}

TEST_F(Remove, CrashAfterTheLineIsFinishedAtTheNextOpening) {
  append_edit(paths.log(), remove_edit(forest().experts[0], false));
  {
    FileLock other(paths.lock(), "another");  // whose holder may be merging just that name again
    EXPECT_EQ(forest().experts.size(), 3u);
    EXPECT_TRUE(fs::exists(paths.expert("a")));
  }
  EXPECT_EQ(forest().experts.size(), 3u);
  EXPECT_FALSE(fs::exists(paths.expert("a")));
  EXPECT_TRUE(fs::exists(paths.expert("b")));
}

TEST_F(Remove, WhoOpensMeanwhileSeesTheForestBeforeOrAfter) {
  const pid_t writer = ::fork();
  if (writer == 0) {
    try {
      for (int i = 0; i < 10; ++i) {
        const FileLock lock(paths.lock(), "the test", FileLock::Busy::wait);
        remove_expert(forest(), "b", Descendants::keep);
        grow_expert(paths, "b", 1, {{"seed", 1, ""}});
      }
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(writer, &status, WNOHANG) == 0) {
    EXPECT_NO_THROW(EXPECT_THAT(forest().experts.size(), testing::AnyOf(3u, 4u)));
  }
  EXPECT_EQ(status, 0);
}

TEST_F(Remove, WorksWhenTheFolderIsLost) {
  fs::remove_all(paths.expert("a"));
  EXPECT_THAT(remove_expert(replay_forest(paths.root), "a", Descendants::keep), ElementsAre("a"));
  EXPECT_EQ(forest().experts.size(), 3u);
}

TEST_F(Remove, UnfinishedRunOfThatNameStays) {
  fs::remove(paths.run("a") / "result.json");
  make_folders(paths.tensorboard("a"));
  remove_expert(forest(), "a", Descendants::keep);
  EXPECT_TRUE(fs::exists(paths.run("a")));
  EXPECT_TRUE(fs::exists(paths.tensorboard("a")));
}

TEST_F(Remove, UnknownNameIsAnError) {
  grow_expert(paths, "python", 1, {});
  EXPECT_THAT(input_message([&] { remove_expert(forest(), "pyhton", Descendants::keep); }),
              HasSubstr("did you mean 'python'?"));
  EXPECT_THAT(input_message([&] { remove_expert(forest(), "seed", Descendants::keep); }),
              HasSubstr("no expert 'seed'"));
}

TEST_F(Remove, LogThatContradictsItselfIsRefused) {
  ExpertInfo a = forest().experts[0];
  std::string good = read_file(paths.log());
  append_edit(paths.log(), merge_edit(a));
  EXPECT_THAT(input_message([&] { forest(); }), HasSubstr("log.jsonl: line 5"));
  write_file(paths.log(), good);
  append_edit(paths.log(), remove_edit(a, false));
  append_edit(paths.log(), remove_edit(a, false));
  EXPECT_THAT(input_message([&] { forest(); }), HasSubstr("log.jsonl: line 6"));
}

}  // namespace
}  // namespace btm
