#include "btm/model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "btm/core/error.h"
#include "tests/model/checkpoint_support.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Safetensors, ReadsWhatItWrote) {
  test::TemporaryFolder folder;
  std::string path = folder / "a.safetensors";
  SafetensorsWriter writer(path, {{"b", Dtype::f32, {2, 1}}, {"a", Dtype::i16, {3}}, {"empty", Dtype::f32, {0, 7}}});
  writer.write("01234567ab");
  writer.write("cdef");
  writer.publish();
  SafetensorsFile file = open_safetensors(path);
  ASSERT_EQ(file.tensors.size(), 3u);
  EXPECT_EQ(file.tensors[0].name, "b");
  EXPECT_EQ(file.tensors[0].bytes, "01234567");
  EXPECT_EQ(file.tensors[0].shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(file.tensors[1].dtype, Dtype::i16);
  EXPECT_EQ(file.tensors[1].bytes, "abcdef");
  EXPECT_EQ(element_count(file.tensors[2]), 0);
  EXPECT_EQ(test::read(path).size() % 8, 14 % 8u) << "the header ends at a multiple of 8";
}

TEST(Safetensors, KeepsMetadata) {
  test::TemporaryFolder folder;
  std::string path = folder / "a.safetensors";
  std::vector<TensorInfo> tensors = {{"b", Dtype::u8, {2}}};
  Json metadata = {{"format", "pt"}, {"note", "\"quoted\"\n"}};
  SafetensorsWriter writer(path, tensors, metadata);
  writer.write("01");
  writer.publish();
  EXPECT_EQ(open_safetensors(path).metadata, metadata);
  EXPECT_EQ(test::read(path), safetensors_header(tensors, metadata) + "01");
}

TEST(Safetensors, UnpublishedLeavesNothing) {
  test::TemporaryFolder folder;
  {
    SafetensorsWriter writer(folder / "a", {{"b", Dtype::f32, {1}}});
    EXPECT_THROW(writer.publish(), Error);
    EXPECT_THROW(writer.write("12345"), Error);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Safetensors, ReadsTensorsInAnyOrderAndScalars) {
  test::TemporaryFolder folder;
  auto path =
      folder.write("a", test::safetensors_bytes(R"({"late":{"dtype":"U8","shape":[],"data_offsets":[4,5]},)"
                                                R"("__metadata__":{"format":"pt"},)"
                                                R"("early":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}  )",
                                                "eeeel"));
  SafetensorsFile file = open_safetensors(path);
  ASSERT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(file.tensors[0].name, "early");
  EXPECT_EQ(file.tensors[1].bytes, "l");
  EXPECT_EQ(element_count(file.tensors[1]), 1);
}

struct Broken {
  const char* name;
  const char* header;
  std::size_t data;
  const char* message;
};

void PrintTo(const Broken& broken, std::ostream* out) {
  *out << broken.name;
}

class BrokenHeader : public testing::TestWithParam<Broken> {};

TEST_P(BrokenHeader, IsAnInputErrorNamingTheFile) {
  test::TemporaryFolder folder;
  auto path =
      folder.write("w.safetensors", test::safetensors_bytes(GetParam().header, std::string(GetParam().data, 'x')));
  EXPECT_THAT(test::input_error_of([&] { open_safetensors(path); }),
              AllOf(HasSubstr("w.safetensors"), HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BrokenHeader,
    testing::Values(
        Broken{"cut", "{\"a\":", 0, "not JSON"}, Broken{"list", "[1]", 0, "not a JSON object"},
        Broken{"empty", "", 0, "not JSON"}, Broken{"not_utf8", "{\"\xff\":1}", 0, "not JSON"},
        Broken{"entry_is_number", R"({"a":7})", 0, "tensor a: its entry lacks"},
        Broken{"no_offsets", R"({"a":{"dtype":"F32","shape":[1]}})", 4, "tensor a: its entry lacks"},
        Broken{"unknown_dtype", R"({"a":{"dtype":"F7","shape":[1],"data_offsets":[0,4]}})", 4,
               "tensor a: dtype \"F7\" is not supported"},
        Broken{"dtype_with_an_escape", R"({"a":{"dtype":"F\u001b7","shape":[1],"data_offsets":[0,4]}})", 4,
               "dtype \"F\\u001b7\""},
        Broken{"dtype_is_number", R"({"a":{"dtype":32,"shape":[1],"data_offsets":[0,4]}})", 4, "tensor a: dtype 32"},
        Broken{"negative_size", R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "tensor a: its shape"},
        Broken{"shape_is_text", R"({"a":{"dtype":"F32","shape":"1","data_offsets":[0,4]}})", 4, "tensor a: its shape"},
        Broken{"size_is_fraction", R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4,
               "tensor a: its shape"},
        Broken{"size_too_large", R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})", 4,
               "tensor a: its shape"},
        Broken{"product_too_large", R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0,
               "tensor a: it has 0"},
        Broken{"too_few_bytes", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "F32 [2] needs 8"},
        Broken{"offsets_backwards", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4,
               "tensor a: its data_offsets"},
        Broken{"three_offsets", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4,
               "tensor a: its data_offsets"},
        Broken{"truncated", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7, "the file is truncated"},
        Broken{"surplus", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, "belong to no tensor"},
        Broken{"gap", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "tensor a: there is a gap"},
        Broken{
            "overlap",
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
            6, "tensor b: its bytes overlap"},
        Broken{
            "twice",
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
            4, "tensor a is there twice"},
        Broken{"escape", R"({"\u001b[2J":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0, "control characters"},
        Broken{"deep", R"({"a":[[[[1]]]]})", 0, "nested too deep"},
        Broken{"metadata_is_number", R"({"__metadata__":{"format":1}})", 0, "not a map of texts"},
        Broken{"metadata_is_list", R"({"__metadata__":["pt"]})", 0, "not a map of texts"}));

TEST(Safetensors, EveryTruncationIsFound) {
  test::TemporaryFolder folder;
  std::string path = folder / "a";
  SafetensorsWriter writer(path, {{"b", Dtype::f32, {2}}, {"c", Dtype::f32, {1}}});
  writer.write("0123456789ab");
  writer.publish();
  std::string whole = test::read(path);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    folder.write("a", whole.substr(0, size));
    EXPECT_THAT(test::input_error_of([&] { open_safetensors(path); }), HasSubstr(path)) << size;
  }
}

TEST(Safetensors, FlippedBytesNeverReadOutsideTheFile) {
  test::TemporaryFolder folder;
  std::string path = folder / "a";
  SafetensorsWriter writer(path, {{"b", Dtype::f32, {2}}, {"c", Dtype::bf16, {1}}});
  writer.write("0123456789");
  writer.publish();
  std::string whole = test::read(path);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (char byte : {'\0', '9', '-', '"', '\xff'}) {
      std::string bytes = whole;
      bytes[at] = byte;
      folder.write("a", bytes);
      try {
        std::size_t sum = 0;
        for (const TensorView& tensor : open_safetensors(path).tensors) sum += tensor.bytes.size();
        EXPECT_EQ(sum, 10u) << at;
      } catch (const Error& e) {
        EXPECT_EQ(e.cause(), Cause::input);
      }
    }
  }
}

TEST(Safetensors, HugeHeaderLengthIsRefused) {
  test::TemporaryFolder folder;
  auto path = folder.write("a", std::string(16, '\x7f'));
  EXPECT_THAT(test::input_error_of([&] { open_safetensors(path); }), HasSubstr("are allowed"));
  EXPECT_THAT(test::input_error_of([&] { open_safetensors(folder / "none"); }), HasSubstr("none"));
}

}  // namespace
}  // namespace btm
