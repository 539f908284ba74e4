#include "btm/core/sums.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "btm/core/error.h"
#include "btm/core/hash.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

int sha256sum(const fs::path& folder) {
  return std::system(("cd " + folder.string() + " && sha256sum --check --strict --status SHA256SUMS").c_str());
}

TEST(Sums, ListEveryFileAsSha256sumReadsIt) {
  test::TemporaryFolder folder;
  folder.write("b.txt", "b");
  folder.write("a.txt", "");
  folder.write("below/c.txt", "c");
  write_sums(folder.path());
  const auto sums = read_sums(folder.path());
  ASSERT_TRUE(sums);
  ASSERT_EQ(sums->size(), 3u);
  EXPECT_EQ((*sums)[0].file, "a.txt");
  EXPECT_EQ((*sums)[2].file, "below/c.txt");
  EXPECT_EQ((*sums)[2].sha256, sha256_hex("c"));
  EXPECT_EQ(sha256sum(folder.path()), 0);
  folder.write("below/c.txt", "d");
  EXPECT_NE(sha256sum(folder.path()), 0);
}

TEST(Sums, OneFileMayBeReplaced) {
  test::TemporaryFolder folder;
  folder.write("report.json", "old");
  folder.write("tokens.bin", "tokens");
  write_sums(folder.path());
  folder.write("report.json", "new");
  folder.write("tokens.bin", "damaged");
  update_sum(folder.path(), "report.json");
  const auto sums = read_sums(folder.path());
  EXPECT_EQ((*sums)[0].sha256, sha256_hex("new"));
  EXPECT_EQ((*sums)[1].sha256, sha256_hex("tokens")) << "the damage was taken for right";
}

TEST(Sums, NoneOrDamaged) {
  test::TemporaryFolder folder;
  EXPECT_FALSE(read_sums(folder.path()));
  update_sum(folder.path(), "report.json");
  EXPECT_FALSE(fs::exists(folder / kSumsFile)) << "a list with less than all";
  folder.write("a.txt", "");
  write_sums(folder.path());
  std::string bytes = test::read(folder / kSumsFile);
  bytes.back() = ' ';
  folder.write(kSumsFile, bytes);
  EXPECT_THROW(read_sums(folder.path()), Error);
}

}  // namespace
}  // namespace btm
