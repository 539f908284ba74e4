#include "btm/train/metrics.h"

#include <gtest/gtest.h>

#include "btm/core/files.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

TEST(MetricsFile, ALineThatWasCutShortGoesBeforeTheNextOne) {
  test::TemporaryFolder folder;
  const std::string first = "{\"update\":1,\"tokens\":8,\"loss\":2.5}\n";
  write_file(folder / "metrics.jsonl", first + "{\"update\":2,\"tok");
  {
    MetricsFile metrics(folder / "metrics.jsonl", 1000, "", folder / "events");  // the checkpoint knew of more
    metrics.add(3, 24, {}, 100, std::nullopt);
    metrics.flush();
  }
  const std::string lines = read_file(folder / "metrics.jsonl");
  EXPECT_TRUE(lines.starts_with(first + "{\"update\":3,")) << lines;
}

}  // namespace
}  // namespace btm
