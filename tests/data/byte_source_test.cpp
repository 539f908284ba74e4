#include "btm/data/byte_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "btm/core/random.h"
#include "tests/data/data_support.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::HasSubstr;

std::string read_all(const std::filesystem::path& path, std::size_t block = 1 << 16) {
  auto source = open_source(path);
  std::string bytes, piece(block, '\0');
  while (std::size_t n = source->read(piece)) bytes.append(piece, 0, n);
  EXPECT_EQ(source->position(), static_cast<std::int64_t>(std::filesystem::file_size(path)));
  return bytes;
}

// Some of it packs well, some does not, and it is longer than any block of the readers.
std::string sample() {
  Random random(1);
  std::string text(300'000, 'x');
  for (int i = 0; i < 300'000; ++i) text += static_cast<char>(random.below(256));
  return text;
}

TEST(ByteSource, ReadsWhatWasPacked) {
  test::TemporaryFolder folder;
  const std::string bytes = sample();
  for (std::size_t block : {1u << 10, 1u << 20}) {
    EXPECT_EQ(read_all(folder.write("a.txt", bytes), block), bytes);
    EXPECT_EQ(read_all(folder.write("a.gz", test::gzip(bytes)), block), bytes);
    EXPECT_EQ(read_all(folder.write("a.zst", test::zstd(bytes)), block), bytes);
  }
  EXPECT_EQ(read_all(folder.write("empty.gz", test::gzip(""))), "");
  EXPECT_EQ(read_all(folder.write("empty.zst", test::zstd(""))), "");
}

TEST(ByteSource, ReadsMembersAndFramesAsOneText) {
  test::TemporaryFolder folder;
  EXPECT_EQ(read_all(test::oracle_folder() / "members.txt.gz"), test::read(test::oracle_folder() / "members.txt"));
  const std::string skippable("\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);  // RFC 8878, section 3.1.2
  const std::string frames = test::zstd("one ") + skippable + test::zstd("") + test::zstd("two");
  EXPECT_EQ(read_all(folder.write("frames.zst", frames)), "one two");
}

TEST(ByteSource, SaysThatAFileIsTruncated) {
  test::TemporaryFolder folder;
  const std::string bytes = sample(), gz = test::gzip(bytes), zst = test::zstd(bytes);
  for (std::size_t cut : {std::size_t{0}, std::size_t{3}, std::size_t{12}, gz.size() / 2, gz.size() - 1}) {
    const auto path = folder.write("cut.gz", gz.substr(0, cut));
    EXPECT_THAT(test::message_of([&] { read_all(path); }), testing::AllOf(HasSubstr("cut.gz"), HasSubstr("truncated")));
  }
  for (std::size_t cut : {std::size_t{0}, std::size_t{3}, std::size_t{12}, zst.size() / 2, zst.size() - 1}) {
    const auto path = folder.write("cut.zst", zst.substr(0, cut));
    EXPECT_THAT(test::message_of([&] { read_all(path); }),
                testing::AllOf(HasSubstr("cut.zst"), HasSubstr("truncated")));
  }
}

TEST(ByteSource, SaysThatAFileIsCorrupt) {
  test::TemporaryFolder folder;
  std::string gz = test::gzip(sample());
  gz[gz.size() - 6] = static_cast<char>(gz[gz.size() - 6] ^ 1);  // of the checksum
  for (const auto& path : {folder.write("a.gz", gz), folder.write("b.gz", "no gzip at all"),
                           folder.write("c.gz", test::gzip("x") + "garbage"), folder.write("d.zst", "no zstd at all"),
                           folder.write("e.zst", test::zstd("x") + "garbage")}) {
    EXPECT_THAT(test::message_of([&] { read_all(path); }),
                testing::AllOf(HasSubstr(path.string()), HasSubstr("corrupt")));
  }
}

TEST(ByteSource, SaysThatAFileIsMissing) {
  EXPECT_THAT(test::message_of([] { open_source("/nowhere/a.txt"); }), HasSubstr("/nowhere/a.txt: can't be read"));
}

}  // namespace
}  // namespace btm
