#include "btm/plan/evaluation.h"

#include <gtest/gtest.h>

#include "btm/core/files.h"
#include "btm/core/seal.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

TEST(LoadEvaluation, OneWithAnotherNumberIsNone) {
  const test::TemporaryFolder folder;
  const ForestPaths paths{folder.path()};
  make_folders(paths.results());
  write_sealed_file(paths.evaluation(), Json{{"rows", Json::array()}, {"tokens", 1234567}}.dump(2) + "\n");
  EXPECT_TRUE(load_evaluation(paths).is_object());
  std::string text = read_file(paths.evaluation());
  text.replace(text.find("1234567"), 7, "1234568");
  write_file(paths.evaluation(), text);
  EXPECT_TRUE(load_evaluation(paths).is_null());
}

}  // namespace
}  // namespace btm
