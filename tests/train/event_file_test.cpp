#include "btm/train/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/train/run_training.h"
#include "tests/train/run_fixture.h"

namespace btm {
namespace {

using testing::HasSubstr;

// Whether TensorBoard finds in the folder what the metrics say.
bool tensorboard_reads(const fs::path& metrics, const fs::path& folder) {
  const std::string command =
      fmt::format("'{}' '{}' '{}' '{}'", BTM_PYTHON, BTM_CHECK_EVENTS, metrics.string(), folder.string());
  return std::system(command.c_str()) == 0;
}

std::string lines_of(int first, int last, double loss, double time) {
  std::string lines;
  for (int update = first; update <= last; ++update) {
    lines += fmt::format(R"({{"update":{},"tokens":{},"loss":{},"learning_rate":1e-3,"gradient_norm":0.5)", update,
                         64 * update, loss);
    lines +=
        fmt::format(R"(,"tokens_per_second":1234{},"time":{}}})", update % 50 == 0 ? R"(,"dev_loss":3)" : "", time);
    lines += '\n';
  }
  return lines;
}

TEST(EventFile, TensorBoardReadsARunAsItsMetricsSay) {
  test::TemporaryFolder folder;
  save_job(folder / "run", test::small_job(folder));
  run_training(folder / "run", {.quiet = true});
  EXPECT_TRUE(tensorboard_reads(folder / "run/metrics.jsonl", folder / "run"));
}

TEST(EventFile, TensorBoardReadsValuesOfAllSizes) {
  test::TemporaryFolder folder;
  std::string metrics = R"({"update":1,"loss":0,"time":0.5})"
                        "\n"
                        R"({"update":127,"loss":-1.5e-44,"dev_loss":1e38,"time":1700000000.125})"
                        "\n"
                        R"({"update":128,"loss":3.3333333333333335,"tokens_per_second":16777217,"time":1700000001})"
                        "\n"
                        R"({"update":9000000000,"gradient_norm":1e-7,"learning_rate":0.001,"time":1700000002})"
                        "\n";
  EventFile(folder / "events", metrics);
  EXPECT_TRUE(tensorboard_reads(folder.write("metrics.jsonl", metrics), folder / "events"));
}

TEST(EventFile, LeavesOutWhatIsNoNumber) {
  const std::string damaged = R"({"update":1,"loss":"x","learning_rate":0.5,"time":null})"
                              "\n"
                              R"({"update":"x","loss":1,"time":3})"
                              "\n";
  EXPECT_EQ(events_of(damaged), events_of("{\"update\":1,\"learning_rate\":0.5,\"time\":0}\n"));
}

TEST(EventFile, IsCutBackAndGoesOnWithRecordsOfTheSameLengths) {
  test::TemporaryFolder folder;
  fs::path path = event_file(folder / "events");
  EventFile(folder / "events", lines_of(1, 300, 2.5, 1e9));
  const std::string before = test::read(path);
  std::string kept = lines_of(1, 120, 2.5, 1e9), rest = lines_of(121, 300, 2.25, 1.5e9);
  {
    EventFile resumed(folder / "events", kept);
    EXPECT_EQ(test::read(path), events_of(kept));
    EXPECT_EQ(test::read(path), before.substr(0, events_of(kept).size()));
    resumed.add(lines_of(121, 200, 2.25, 1.5e9));
    resumed.add("");
    resumed.add(lines_of(201, 300, 2.25, 1.5e9));
  }
  EXPECT_EQ(test::read(path), events_of(kept + rest));
  EXPECT_EQ(fs::file_size(path), before.size());
  EXPECT_TRUE(tensorboard_reads(folder.write("metrics.jsonl", kept + rest), folder / "events"));
}

TEST(EventFile, LeavesOutWhatIsNoWholeLine) {
  std::string whole = lines_of(1, 3, 2.5, 1e9);
  EXPECT_EQ(events_of(whole + R"({"update":4,"lo)"), events_of(whole));
  EXPECT_EQ(events_of(whole + "torn, and then\n"), events_of(whole));
  EXPECT_EQ(events_of(""), "");
}

TEST(EventFile, LiesWhereTheJobSays) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.tensorboard = (folder / "forest/tensorboard/small").string();
  save_job(folder / "run", job);
  run_training(folder / "run", {.quiet = true});
  EXPECT_EQ(test::read(event_file(job.tensorboard)), events_of(test::read(folder / "run/metrics.jsonl")));
  EXPECT_FALSE(fs::exists(event_file(folder / "run")));
}

TEST(EventFile, SaysWhenItCannotBeWritten) {
  test::TemporaryFolder folder;
  make_folders(event_file(folder / "events"));  // a folder in its place
  try {
    EventFile(folder / "events", "");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    EXPECT_THAT(e.what(), HasSubstr("events.out.tfevents.btm: can't be written"));
  }
}

}  // namespace
}  // namespace btm
