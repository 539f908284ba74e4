#include "btm/model/average.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/model/checkpoint.h"
#include "btm/model/weight_files.h"
#include "tests/model/checkpoint_support.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class OfThree : public testing::TestWithParam<const char*> {
 protected:
  fs::path folder = test::oracle_folder() / GetParam();
  std::vector<WeightedFolder> sources{{folder / "a", 3}, {folder / "b", 1}, {folder / "c", 0.5}};
};

TEST_P(OfThree, IsTheMeanInFloat64RoundedOnce) {
  test::TemporaryFolder output;
  average_checkpoints(sources, output.path());
  WeightFiles average = open_weights(output.path()), first = open_weights(folder / "a");
  auto expected = test::read_oracle_values(folder.string() + ".values");
  for (const test::OracleTensor& tensor : expected) {
    const TensorView* found = average.find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->dtype, first.find(tensor.name)->dtype);
    EXPECT_EQ(found->shape, tensor.shape) << tensor.name;
    std::vector<float> values(tensor.values.size());
    EXPECT_TRUE(to_float(found->dtype, found->bytes, values));
    EXPECT_EQ(values, tensor.values) << tensor.name;
  }
  const TensorView *buffer = average.find("buffer"), *copied = first.find("buffer");
  ASSERT_EQ(buffer != nullptr, copied != nullptr);
  if (buffer) {
    EXPECT_EQ(buffer->bytes, copied->bytes);
  }
  EXPECT_EQ(average.tensors.size(), expected.size() + (buffer ? 1 : 0));
}

TEST_P(OfThree, SaysWhatItWasMadeOfAndBringsTheFirstOnesFiles) {
  test::TemporaryFolder output;
  sources[1].name = "experts/b";
  sources[1].sha256 = weights_sha256(folder / "b");
  Json record = average_checkpoints(sources, output.path());
  EXPECT_EQ(Json::parse(test::read(output / "average.json")), record);
  ASSERT_EQ(record["sources"].size(), 3u);
  EXPECT_EQ(record["sources"][0]["folder"], (folder / "a").string());
  EXPECT_EQ(record["sources"][1]["folder"], "experts/b");
  EXPECT_DOUBLE_EQ(record["sources"][0]["weight"].get<double>(), 3 / 4.5);
  EXPECT_EQ(record["sources"][1]["sha256"], weights_sha256(folder / "b"));
  EXPECT_EQ(record["sources"][0]["xxh3"], weights_xxh3(folder / "a"));
  EXPECT_NE(weights_xxh3(folder / "a"), weights_xxh3(folder / "b"));
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json"}) {
    EXPECT_EQ(test::read(output / name), test::read(folder / "a" / name)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, OfThree, testing::Values("average_f32", "average_bf16", "average_f16_mixed"),
                         [](const auto& folder) { return std::string(folder.param); });

// Two folders of small models, whose files a test may change.
class Average : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 2; ++i) {
      fs::create_directories(folder / names[i]);
      save_model(folder / names[i], test::small_model(static_cast<std::uint64_t>(i)), 0);
      folder.write(fmt::format("{}/tokenizer.json", names[i]), "{}");
    }
    fs::create_directories(folder / "out");
  }
  void save_wide(int source, int vocab_size) {  // a table of more than one block of the average
    Model model = test::small_model(static_cast<std::uint64_t>(source));
    model.config.vocab_size = vocab_size;
    save_model(folder / names[source], random_model(model.config, static_cast<std::uint64_t>(source)), 0);
  }
  std::string average(double a, double b, int threads = 0) {
    average_checkpoints({{folder / names[0], a}, {folder / names[1], b}}, folder / "out", {.threads = threads});
    return test::read(folder / "out" / "model.safetensors");
  }
  std::string message(double a = 1, double b = 1) {
    auto text = test::input_error_of([&] { average(a, b); });
    EXPECT_FALSE(fs::exists(folder / "out" / "model.safetensors"));
    return text;
  }

  test::TemporaryFolder folder;
  std::array<std::string, 2> names{"left", "right"};
};

TEST_F(Average, OfOneIsThatOne) {
  EXPECT_EQ(average(2, 0), test::read(folder / "left" / "model.safetensors"));
  EXPECT_EQ(average(0, 1e-300), test::read(folder / "right" / "model.safetensors"));
}

TEST_F(Average, ZeroIsNegativeWhereAllAre) {
  Model left = test::small_model(0), right = test::small_model(1);
  for (Model* model : {&left, &right}) model->parameters.data()[0] = -0.0f;
  left.parameters.data()[1] = -0.0f;
  right.parameters.data()[1] = 0.0f;
  save_model(folder / "left", left, 0);
  save_model(folder / "right", right, 0);
  EXPECT_EQ(average(2, 0), test::read(folder / "left" / "model.safetensors"));
  for (const double weight : {0.0, 1.0}) {
    average(1, weight);
    const Model mean = load_model(folder / "out");
    EXPECT_EQ(mean.parameters.data()[0], 0.0f);
    EXPECT_TRUE(std::signbit(mean.parameters.data()[0])) << weight;
    EXPECT_EQ(mean.parameters.data()[1], 0.0f);
    EXPECT_EQ(std::signbit(mean.parameters.data()[1]), weight == 0) << weight;
  }
}

TEST_F(Average, BytesDoNotDependOnThreads) {
  for (int source : {0, 1}) save_wide(source, 300'001);
  std::string alone = average(1, 2, 1);
  for (int threads : {2, 5}) EXPECT_EQ(sha256_hex(average(1, 2, threads)), sha256_hex(alone)) << threads;
  Model a = load_model(folder / "left"), b = load_model(folder / "right"), mean = load_model(folder / "out");
  for (std::size_t i = 0; i < mean.parameters.size(); ++i) {
    double expected = 1.0 / 3 * a.parameters.data()[i] + 2.0 / 3 * b.parameters.data()[i];
    ASSERT_FLOAT_EQ(mean.parameters.data()[i], static_cast<float>(expected)) << i;
  }
}

// Their config.json and ours say the same in other words.
TEST_F(Average, OfAFolderOfTransformersAndOneOfOurs) {
  for (const char* name : {"gpt2", "llama"}) {
    fs::path original = test::oracle_folder() / name, ours = folder / name;
    fs::create_directories(ours);
    save_model(ours, load_model(original), 0);
    average_checkpoints({{original, 1}, {ours, 1}}, folder / "out");
    test::expect_equal(load_model(folder / "out"), test::read_oracle_values(original.string() + ".values"));
  }
}

TEST_F(Average, WeightsThatAreNone) {
  EXPECT_THAT(message(-1, 2), AllOf(HasSubstr("left"), HasSubstr("-1")));
  EXPECT_THAT(message(1, kNan), HasSubstr("right"));
  EXPECT_THAT(message(0, 0), HasSubstr("sum to 0"));
  EXPECT_THAT(test::input_error_of([&] { average_checkpoints({}, folder / "out"); }), HasSubstr("at least one"));
}

TEST_F(Average, OtherShapes) {
  save_wide(1, 12);
  EXPECT_THAT(message(), AllOf(HasSubstr("right can't be averaged with"), HasSubstr("vocab_size = 12")));
  fs::copy(folder / "left" / "config.json", folder / "right" / "config.json", fs::copy_options::overwrite_existing);
  EXPECT_THAT(message(), AllOf(HasSubstr("wte.weight has shape [12, 8], expected [11, 8]")));
}

TEST_F(Average, OtherNames) {
  Model model = test::small_model(1);
  model.config.layers = 1;
  save_model(folder / "right", random_model(model.config, 1), 0);
  fs::copy(folder / "left" / "config.json", folder / "right" / "config.json", fs::copy_options::overwrite_existing);
  EXPECT_THAT(message(), AllOf(HasSubstr("transformer.h.1."), HasSubstr("missing")));
  std::swap(names[0], names[1]);
  EXPECT_THAT(message(), AllOf(HasSubstr("transformer.h.1."), HasSubstr("only in this one")));
}

TEST_F(Average, OtherTokenizerOrSettings) {
  folder.write("left/tokenizer.json", R"({"a": 1, "b": 2})");
  folder.write("right/tokenizer.json", R"({"a": 1, "b": 3})");
  EXPECT_THAT(message(), HasSubstr("another tokenizer.json"));
  fs::remove(folder / "right" / "tokenizer.json");
  EXPECT_THAT(message(), HasSubstr("only one of them"));
  fs::remove(folder / "left" / "tokenizer.json");
  folder.write("left/merges.txt", "a b");
  EXPECT_THAT(message(), HasSubstr("only one of them has a merges.txt"));
  folder.write("right/merges.txt", "b a");
  EXPECT_THAT(message(), HasSubstr("another merges.txt"));
  folder.write("left/tokenizer.json", R"({"a": 1, "b": 2})");
  folder.write("right/tokenizer.json", R"({ "b": 2, "a": 1 })");  // as transformers may write it; merges.txt is unused
  Json config = Json::parse(test::read(folder / "left" / "config.json"));
  config["transformers_version"] = "1";
  config["unsloth_version"] = "2";
  config["n_head"] = 1;
  folder.write("right/config.json", config.dump());
  EXPECT_THAT(message(), HasSubstr("n_head = 1, the other has 2"));
}

TEST_F(Average, SettingsThatMayBeNull) {
  const Json config = Json::parse(test::read(folder / "left" / "config.json"));
  for (const auto& [key, left, right, differ] :
       std::vector<std::tuple<std::string, Json, Json, bool>>{{"sliding_window", nullptr, 8, true},
                                                              {"final_logit_softcapping", 30.0, nullptr, true},
                                                              {"rope_local_base_freq", 10000.0, 77.0, true},
                                                              {"head_dim", nullptr, 4, false}}) {
    Json one = config, other = config;
    one[key] = left;
    other[key] = right;
    folder.write("left/config.json", one.dump());
    folder.write("right/config.json", other.dump());
    if (differ) {
      EXPECT_THAT(message(), HasSubstr(key));
    } else {
      average(1, 1);
    }
  }
}

// As transformers 4 and 5 write them of one model.
TEST_F(Average, SettingsThatSayTheSame) {
  Json one = Json::parse(test::read(folder / "left" / "config.json")), other = one;
  one["use_sliding_window"] = other["use_sliding_window"] = false;
  one["sliding_window"] = 32768;
  other["sliding_window"] = nullptr;
  one["max_window_layers"] = 28;
  other["max_window_layers"] = 21;
  other["activation_function"] = "gelu_pytorch_tanh";
  folder.write("left/config.json", one.dump());
  folder.write("right/config.json", other.dump());
  average(1, 1);
  fs::remove(folder / "out" / "model.safetensors");
  other["use_sliding_window"] = true;
  folder.write("right/config.json", other.dump());
  EXPECT_THAT(message(), HasSubstr("sliding_window"));
}

TEST_F(Average, TokenizersThatMeanTheSame) {
  folder.write("left/tokenizer.json",
               R"({"version": "1", "truncation": {"max_length": 9}, "model": {"merges": [["a", "b"]]}})");
  folder.write("right/tokenizer.json", R"({"truncation": null, "model": {"merges": ["a b"]}})");
  average(1, 1);
  fs::remove(folder / "out" / "model.safetensors");
  folder.write("right/tokenizer.json", R"({"truncation": null, "model": {"merges": ["b a"]}})");
  EXPECT_THAT(message(), HasSubstr("another tokenizer.json"));
}

// In the words of transformers 4 and 5; what is left out is a base of 10000.
TEST_F(Average, OtherRotaryPositions) {
  const Json config = Json::parse(test::read(folder / "left" / "config.json"));
  const std::vector<Json> forms = {Json::object(),
                                   {{"rope_theta", 10000.0}, {"rope_scaling", nullptr}},
                                   {{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 10000}}}},
                                   {{"rope_theta", 500000}},
                                   {{"rope_parameters", {{"rope_theta", 500000}}}},
                                   {{"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}}},
                                   {{"rope_parameters", {{"rope_type", "linear"}, {"factor", 4.0}}}}};
  const std::vector<int> meaning = {0, 0, 0, 1, 1, 2, 2};
  for (std::size_t i = 0; i < forms.size(); ++i) {
    for (std::size_t j = 0; j < forms.size(); ++j) {
      Json left = config, right = config;
      left.update(forms[i]);
      right.update(forms[j]);
      folder.write("left/config.json", left.dump());
      folder.write("right/config.json", right.dump());
      if (meaning[i] == meaning[j]) {
        average(1, 1);
        fs::remove(folder / "out" / "model.safetensors");
      } else {
        EXPECT_THAT(message(), HasSubstr("rotary positions")) << forms[i] << forms[j];
      }
    }
  }
}

TEST_F(Average, IntegersThatDiffer) {
  for (int i = 0; i < 2; ++i) {
    SafetensorsWriter writer(folder / names[i] / "model.safetensors", {{"steps", Dtype::i64, {1}}});
    writer.write(i ? "12345678" : "87654321");
    writer.publish();
  }
  EXPECT_THAT(message(), AllOf(HasSubstr("steps (I64) has other values")));
}

TEST_F(Average, NotANumberNamesSourceAndTensor) {
  Model model = test::small_model(1);
  model.parameters.data()[0] = static_cast<float>(kNan);
  save_model(folder / "right", model, 0);
  EXPECT_THAT(message(), AllOf(HasSubstr("right: tensor transformer.wte.weight"), HasSubstr("NaN")));
}

}  // namespace
}  // namespace btm
