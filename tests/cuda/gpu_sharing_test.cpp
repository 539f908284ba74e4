// The daemon of NVIDIA's MPS, for which a script stands.
#include "btm/plan/launch/gpu_sharing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "btm/core/files.h"
#include "btm/plan/launch/local_workers.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

class GpuSharingTest : public testing::Test {
 protected:
  GpuSharingTest() {
    path_ = std::getenv("PATH");
    ::setenv("PATH", fmt::format("{}:{}", folder_.path().string(), path_).c_str(), 1);
    ::setenv("CUDA_VISIBLE_DEVICES", "1", 1);
    ::unsetenv("CUDA_MPS_PIPE_DIRECTORY");
  }
  ~GpuSharingTest() override {
    ::setenv("PATH", path_.c_str(), 1);
    ::unsetenv("CUDA_VISIBLE_DEVICES");
    ::unsetenv("CUDA_MPS_PIPE_DIRECTORY");
  }

  // It keeps what it was called with, and ends with that code.
  void daemon(int code) {
    const auto file = folder_.write(
        "nvidia-cuda-mps-control",
        fmt::format("#!/bin/bash\nprintf '%s %s %s %s\\n' \"$*\" \"$(cat)\" \"$CUDA_MPS_PIPE_DIRECTORY\" "
                    "\"${{CUDA_VISIBLE_DEVICES-all}}\" >>{}/calls\necho an instance is running already >&2\nexit {}\n",
                    folder_.path().string(), code));
    ::chmod(file.c_str(), 0755);
  }
  std::string calls() const { return fs::exists(folder_ / "calls") ? read_file(folder_ / "calls") : ""; }

  test::TemporaryFolder folder_;
  std::string path_;
};

TEST_F(GpuSharingTest, StartsADaemonForItsProcessesAloneAndEndsIt) {
  daemon(0);
  std::string folder;
  {
    const GpuSharing sharing;
    ASSERT_THAT(sharing.environment(),
                ElementsAre(StartsWith("CUDA_MPS_PIPE_DIRECTORY="), StartsWith("CUDA_MPS_LOG_DIRECTORY=")));
    folder = sharing.environment()[0].substr(sharing.environment()[0].find('=') + 1);
    EXPECT_TRUE(fs::is_directory(folder));
    EXPECT_EQ(calls(), fmt::format("-d  {} all\n", folder));
  }
  EXPECT_EQ(calls(), fmt::format("-d  {0} all\n quit {0} all\n", folder));
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(GpuSharingTest, WarnsWhereThereIsNone) {
  testing::internal::CaptureStderr();
  {
    daemon(1);
    const GpuSharing sharing;
    EXPECT_THAT(sharing.environment(), IsEmpty());
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("take turns"));
  EXPECT_THAT(calls(), testing::Not(testing::HasSubstr("quit")));
}

TEST_F(GpuSharingTest, LeavesToOthersWhatIsTheirs) {
  daemon(0);
  ::setenv("CUDA_MPS_PIPE_DIRECTORY", folder_.path().c_str(), 1);
  {
    const GpuSharing sharing;
    EXPECT_THAT(sharing.environment(), IsEmpty());
  }
  EXPECT_EQ(calls(), "");
}

// The emulator has one GPU.
TEST_F(GpuSharingTest, IsForWorkersThatShareAGpu) {
  daemon(0);
  const auto worker = folder_.write("worker", "#!/bin/sh\necho \"$CUDA_MPS_PIPE_DIRECTORY\"\n");
  ::chmod(worker.c_str(), 0755);
  const LaunchedRun run{"run", folder_ / "run"};
  fs::create_directories(run.run);
  auto pipe_directory_with = [&](int count) {
    LocalWorkers workers(worker, {}, WorkerShare{.workers = count, .threads = 1, .on_gpu = true});
    workers.start({&run});
    while (workers.ended().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return read_file(run.run / "log.txt");
  };
  EXPECT_EQ(pipe_directory_with(1), "\n");
  EXPECT_THAT(pipe_directory_with(2), StartsWith("/tmp/btm-mps-"));
}

TEST(GpuShare, IsTwiceThePartOfAWorker) {
  const auto share_of_each = [](int workers, int models) {
    LauncherSettings settings;
    settings.device = Device::cuda;
    settings.workers = workers;
    return share_of(settings, Precision::automatic, models).gpu_share;
  };
  const int gpus = find_gpu()->count;
  EXPECT_EQ(share_of_each(gpus, 8 * gpus), 100);
  EXPECT_EQ(share_of_each(2 * gpus, 8 * gpus), 100);
  EXPECT_EQ(share_of_each(3 * gpus, 8 * gpus), 67);
  EXPECT_EQ(share_of_each(8 * gpus, 8 * gpus), 25);
  EXPECT_EQ(share_of_each(8 * gpus, gpus), 100);  // so few models
}

}  // namespace
}  // namespace btm
