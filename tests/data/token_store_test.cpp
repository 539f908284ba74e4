#include "btm/data/token_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "tests/data/data_support.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Documents = std::vector<std::vector<TokenId>>;

void write(const fs::path& prefix, const Documents& documents, int vocab_size) {
  TokenStoreWriter writer(prefix, vocab_size);
  for (const auto& document : documents) writer.add(document);
  writer.publish();
}

Documents read_documents(const TokenStore& store) {
  Documents documents;
  for (std::int64_t i = 0; i < store.documents(); ++i) {
    store.copy(i, 0, documents.emplace_back(static_cast<std::size_t>(store.length(i))));
  }
  return documents;
}

const Documents kDocuments = {{1, 2, 3}, {65499}, {}, {0, 7, 9, 11}};

TEST(TokenStore, IsReadByAnIndependentReader) {
  test::TemporaryFolder folder;
  write(folder / "narrow", kDocuments, 65499);
  EXPECT_EQ(test::read_by_python(folder / "narrow"), (Json{{"dtype", "uint16"}, {"documents", kDocuments}}));
  const Documents large = {{70000, 1}, {2147483647}};
  write(folder / "wide", large, 65500);  // Megatron-LM's own bound
  EXPECT_EQ(test::read_by_python(folder / "wide"), (Json{{"dtype", "int32"}, {"documents", large}}));
  write(folder / "empty", {}, 10);
  EXPECT_EQ(test::read_by_python(folder / "empty"), (Json{{"dtype", "uint16"}, {"documents", Json::array()}}));
}

TEST(TokenStore, ReadsWhatAnotherWriterWrote) {
  const Json cases = test::data_cases();
  EXPECT_EQ(read_documents(TokenStore(test::oracle_folder() / "narrow")), cases["narrow"].get<Documents>());
  EXPECT_EQ(read_documents(TokenStore(test::oracle_folder() / "wide")), cases["wide"].get<Documents>());
}

TEST(TokenStore, CopiesPieces) {
  test::TemporaryFolder folder;
  write(folder / "a", kDocuments, 65499);
  const TokenStore store(folder / "a");
  EXPECT_EQ(store.documents(), 4);
  EXPECT_EQ(store.tokens(), 8);
  std::vector<TokenId> two(2), all(8), none;
  store.copy(3, 1, two);
  EXPECT_THAT(two, testing::ElementsAre(7, 9));
  store.copy_stream(0, all);
  EXPECT_THAT(all, testing::ElementsAre(1, 2, 3, 65499, 0, 7, 9, 11));
  store.copy_stream(8, none);
  EXPECT_THROW(store.copy_stream(7, two), Error);
  EXPECT_THROW(store.copy(0, 2, two), Error);
  EXPECT_THROW(store.copy(4, 0, none), Error);
  EXPECT_EQ(store.sha256(), sha256_hex(test::read(folder / "a.bin") + test::read(folder / "a.idx")));
}

TEST(TokenStore, ShowsNothingBeforeItIsPublished) {
  test::TemporaryFolder folder;
  {
    TokenStoreWriter writer(folder / "a", 10);
    writer.add(kDocuments[0]);
    EXPECT_FALSE(fs::exists(folder / "a.bin"));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(TokenStore, RefusesEveryTruncation) {
  test::TemporaryFolder folder;
  write(folder / "a", kDocuments, 65499);
  const std::string bin = test::read(folder / "a.bin"), idx = test::read(folder / "a.idx");
  for (std::size_t size = 0; size < idx.size(); ++size) {
    folder.write("a.idx", idx.substr(0, size));
    EXPECT_THAT(test::message_of([&] { TokenStore(folder / "a"); }), HasSubstr("a.idx: ")) << size;
  }
  folder.write("a.idx", idx + "x");
  EXPECT_THAT(test::message_of([&] { TokenStore(folder / "a"); }), HasSubstr("a.idx: "));
  folder.write("a.idx", idx);
  for (const std::string& other : {bin.substr(0, bin.size() - 1), std::string(), bin + "xx"}) {
    folder.write("a.bin", other);
    EXPECT_THAT(test::message_of([&] { TokenStore(folder / "a"); }),
                AllOf(HasSubstr("a.bin: "), HasSubstr("truncated")));
  }
  fs::remove(folder / "a.bin");
  EXPECT_THAT(test::message_of([&] { TokenStore(folder / "a"); }), HasSubstr("a.bin: can't be read"));
}

TEST(TokenStore, RefusesAnIndexThatIsWrong) {
  test::TemporaryFolder folder;
  write(folder / "a", kDocuments, 65499);
  const std::string idx = test::read(folder / "a.idx");
  auto message = [&](std::size_t at, std::uint64_t value, std::size_t width) {
    std::string changed = idx;
    std::memcpy(&changed[at], &value, width);
    folder.write("a.idx", changed);
    return test::message_of([&] { TokenStore(folder / "a"); });
  };
  const std::size_t lengths = 34, pointers = lengths + 4 * 4, bounds = pointers + 4 * 8;
  EXPECT_THAT(message(0, 'X', 1), HasSubstr("not a Megatron-LM index"));
  EXPECT_THAT(message(9, 2, 8), HasSubstr("version 2, expected 1"));
  EXPECT_THAT(message(17, 5, 1), HasSubstr("dtype code 5"));
  EXPECT_THAT(message(18, std::uint64_t{1} << 62, 8), HasSubstr("do not hold"));
  EXPECT_THAT(message(26, 0, 8), HasSubstr("do not hold"));
  EXPECT_THAT(message(lengths, 0xffffffff, 4), HasSubstr("length -1"));
  EXPECT_THAT(message(lengths, 4, 4), HasSubstr("sequence 1 starts at"));
  EXPECT_THAT(message(pointers + 8, 1000, 8), HasSubstr("sequence 1 starts at byte 1000, expected 6"));
  EXPECT_THAT(message(lengths + 12, 5, 4), AllOf(HasSubstr("a.bin: 16 bytes"), HasSubstr("speaks of 18")));
  EXPECT_THAT(message(bounds, 1, 8), HasSubstr("document 0 starts at sequence 1"));
  EXPECT_THAT(message(bounds + 8, 9, 8), HasSubstr("document 1 starts at sequence 9 of 4"));
  EXPECT_THAT(message(bounds + 32, 3, 8), HasSubstr("document 4"));
}

}  // namespace
}  // namespace btm
