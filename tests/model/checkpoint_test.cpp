#include "btm/model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/hash.h"
#include "btm/core/settings.h"
#include "btm/model/safetensors.h"
#include "tests/model/checkpoint_support.h"
#include "tests/support/temporary_folder.h"

namespace btm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class SavedByTransformers : public testing::TestWithParam<const char*> {};

TEST_P(SavedByTransformers, HasTheParametersThatTheyHad) {
  fs::path folder = test::oracle_folder() / GetParam();
  test::expect_equal(load_model(folder), test::read_oracle_values(folder.string() + ".values"));
}

INSTANTIATE_TEST_SUITE_P(Folders, SavedByTransformers,
                         testing::Values("gpt2", "gpt2_bf16", "gpt2_f16_sharded", "gpt2_hub", "llama",
                                         "llama_tied_bf16", "llama_sharded", "qwen2"),
                         [](const auto& folder) { return std::string(folder.param); });

TEST(Checkpoint, ReadsWhatItSaved) {
  test::TemporaryFolder folder;
  Model model = test::small_model(3);
  save_model(folder.path(), model, 7);
  Model again = load_model(folder.path());
  ASSERT_EQ(again.parameters.size(), model.parameters.size());
  EXPECT_EQ(std::memcmp(again.parameters.data(), model.parameters.data(), model.parameters.size() * sizeof(float)), 0);
  EXPECT_EQ(settings_json(again.config), settings_json(model.config));
  EXPECT_EQ(settings_json(load_config(folder.path())), settings_json(model.config));
  EXPECT_EQ(Json::parse(test::read(folder / "generation_config.json"))["eos_token_id"], 7);
  EXPECT_EQ(weights_sha256(folder.path()), sha256_hex(test::read(folder / "model.safetensors")));
}

TEST(Checkpoint, ADescendantKeepsTheTokensThatItsTextEndsAt) {
  const test::TemporaryFolder folder;
  const Model model = test::small_model(3);
  for (const char* name : {"chat", "plain", "expert"}) std::filesystem::create_directory(folder / name);
  save_model(folder / "chat", model, 0);
  save_model(folder / "plain", model, 7);
  EXPECT_EQ(end_tokens(folder / "plain"), std::vector{7});
  Json config = Json::parse(test::read(folder / "chat/config.json"));
  config["bos_token_id"] = nullptr;  // as transformers writes it: the source says nothing
  config["eos_token_id"] = 2;
  config["pad_token_id"] = 3;
  folder.write("chat/config.json", config.dump());
  const Json generation = {{"eos_token_id", {2, 5}}, {"temperature", 0.6}};
  folder.write("chat/generation_config.json", generation.dump());
  save_model(folder / "expert", model, 7, folder / "chat");
  const Json kept = Json::parse(test::read(folder / "expert/config.json"));
  config["bos_token_id"] = 7;
  EXPECT_EQ(kept, config);
  EXPECT_EQ(Json::parse(test::read(folder / "expert/generation_config.json")), generation);
  EXPECT_EQ(end_tokens(folder / "expert"), (std::vector{2, 5}));
  fs::remove(folder / "expert/generation_config.json");
  EXPECT_EQ(end_tokens(folder / "expert"), std::vector{2});
}

TEST(Checkpoint, HashOfShardsIsOverIndexAndShardsInOrder) {
  fs::path folder = test::oracle_folder() / "llama_sharded";
  std::string bytes = test::read(folder / "model.safetensors.index.json");
  for (int i = 1; i <= 4; ++i) bytes += test::read(folder / fmt::format("model-0000{}-of-00004.safetensors", i));
  EXPECT_EQ(weights_sha256(folder), sha256_hex(bytes));
}

// A folder of ours with one tensor changed, left out or added.
class Altered : public testing::Test {
 protected:
  void SetUp() override { save_model(folder.path(), test::small_model(1), 0); }

  template <class F>
  void rewrite(F&& change) {
    std::vector<std::pair<TensorInfo, std::string>> tensors;
    {
      SafetensorsFile file = open_safetensors(folder / "model.safetensors");
      for (const TensorView& tensor : file.tensors) tensors.emplace_back(tensor, tensor.bytes);
    }
    change(tensors);
    std::vector<TensorInfo> infos;
    for (const auto& [info, bytes] : tensors) infos.push_back(info);
    SafetensorsWriter writer(folder / "model.safetensors", infos);
    for (const auto& [info, bytes] : tensors) writer.write(bytes);
    writer.publish();
  }
  std::string message() {
    return test::input_error_of([&] { load_model(folder.path()); });
  }

  test::TemporaryFolder folder;
};

TEST_F(Altered, MissingTensor) {
  rewrite([](auto& tensors) { tensors.erase(tensors.begin() + 2); });
  EXPECT_THAT(message(), AllOf(HasSubstr(folder.path().string()), HasSubstr("transformer.h.0.ln_1.weight"),
                               HasSubstr("[8]"), HasSubstr("missing")));
}

TEST_F(Altered, UnknownTensor) {
  rewrite([](auto& tensors) {
    tensors.emplace_back(TensorInfo{"transformer.h.2.ln_1.weight", Dtype::f32, {8}}, std::string(32, '\0'));
  });
  EXPECT_THAT(message(), AllOf(HasSubstr("transformer.h.2.ln_1.weight"), HasSubstr("[8]"), HasSubstr("no place")));
}

TEST_F(Altered, OneTensorUnderTwoNames) {
  rewrite([](auto& tensors) {
    tensors.push_back(tensors[2]);
    tensors.back().first.name = "h.0.ln_1.weight";
  });
  EXPECT_THAT(message(), AllOf(HasSubstr("transformer.h.0.ln_1.weight and h.0.ln_1.weight")));
}

TEST_F(Altered, HeadThatIsNotTheTiedOne) {
  const auto add_head = [](auto& tensors) {
    tensors.push_back(tensors[0]);
    tensors.back().first.name = "lm_head.weight";
  };
  rewrite(add_head);
  load_model(folder.path());  // equal, as transformers may save it
  rewrite([](auto& tensors) { tensors.back().second[2] ^= 1; });
  EXPECT_THAT(message(), AllOf(HasSubstr("lm_head.weight differs"), HasSubstr("tie_word_embeddings")));
  rewrite([](auto& tensors) { tensors.back() = {{"lm_head.weight", Dtype::f32, {1, 2}}, std::string(8, 'x')}; });
  EXPECT_THAT(message(), HasSubstr("lm_head.weight differs"));
}

TEST_F(Altered, WrongShape) {
  rewrite([](auto& tensors) { tensors[0].first.shape = {8, 11}; });
  EXPECT_THAT(message(), AllOf(HasSubstr("transformer.wte.weight"), HasSubstr("[8, 11]"), HasSubstr("[11, 8]")));
}

TEST_F(Altered, IntegersForNumbers) {
  rewrite([](auto& tensors) { tensors[0].first.dtype = Dtype::i32; });
  EXPECT_THAT(message(), AllOf(HasSubstr("transformer.wte.weight"), HasSubstr("I32")));
}

TEST_F(Altered, NotANumber) {
  rewrite([](auto& tensors) {
    float nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(tensors[1].second.data() + 4, &nan, sizeof nan);
  });
  EXPECT_THAT(message(), AllOf(HasSubstr("transformer.wpe.weight"), HasSubstr("NaN")));
}

TEST_F(Altered, TruncatedWeights) {
  std::string bytes = test::read(folder / "model.safetensors");
  folder.write("model.safetensors", bytes.substr(0, bytes.size() - 1));
  EXPECT_THAT(message(), AllOf(HasSubstr("model.safetensors"), HasSubstr("truncated")));
}

TEST_F(Altered, ConfigThatIsNoJson) {
  folder.write("config.json", "{");
  EXPECT_THAT(message(), AllOf(HasSubstr("config.json"), HasSubstr("JSON")));
}

TEST_F(Altered, ConfigThatIsNestedTooDeep) {
  folder.write("config.json", R"({"rope_scaling": )" + std::string(200'000, '[') + std::string(200'000, ']') + "}");
  EXPECT_THAT(message(), AllOf(HasSubstr("config.json"), HasSubstr("nested too deep")));
}

TEST_F(Altered, NoWeights) {
  fs::rename(folder / "model.safetensors", folder / "pytorch_model.bin");
  EXPECT_THAT(message(), HasSubstr("only pytorch_model.bin"));
  fs::remove(folder / "pytorch_model.bin");
  EXPECT_THAT(message(), HasSubstr("not a model folder"));
  EXPECT_THAT(test::input_error_of([&] { weights_sha256(folder / "none"); }), HasSubstr("no such folder"));
}

class AlteredIndex : public testing::Test {
 protected:
  void SetUp() override {
    fs::copy(test::oracle_folder() / "llama_sharded", folder.path(), fs::copy_options::recursive);
    index = Json::parse(test::read(path()));
  }
  std::string path() { return folder / "model.safetensors.index.json"; }
  std::string message() {
    folder.write("model.safetensors.index.json", index.dump());
    return test::input_error_of([&] { load_model(folder.path()); });
  }

  test::TemporaryFolder folder;
  Json index;
};

TEST_F(AlteredIndex, ShardThatIsNotThere) {
  fs::remove(folder / "model-00002-of-00004.safetensors");
  EXPECT_THAT(message(), HasSubstr("model-00002-of-00004.safetensors"));
}

TEST_F(AlteredIndex, TensorInAnotherShard) {
  Json& map = index["weight_map"];
  map["model.norm.weight"] = map["model.norm.weight"] == "model-00001-of-00004.safetensors"
                                 ? "model-00002-of-00004.safetensors"
                                 : "model-00001-of-00004.safetensors";
  EXPECT_THAT(message(), AllOf(HasSubstr("model.norm.weight"), HasSubstr("where the index has it")));
}

TEST_F(AlteredIndex, PathOutOfTheFolder) {
  index["weight_map"]["model.norm.weight"] = "../model.safetensors";
  EXPECT_THAT(message(), AllOf(HasSubstr("model.norm.weight"), HasSubstr("not the name of a file")));
  index["weight_map"]["model.norm.weight"] = "model.safetensors.index.json";
  EXPECT_THAT(message(), AllOf(HasSubstr("model.norm.weight"), HasSubstr("not the name of a file")));
  index["weight_map"]["model.norm.weight"] = "\x1b[2J/a";
  EXPECT_THAT(message(), AllOf(HasSubstr("\\u001b[2J/a"), Not(HasSubstr("\x1b"))));
  index["weight_map"]["model.norm.weight"] = 3;
  EXPECT_THAT(message(), HasSubstr("model.norm.weight"));
  index = Json::array();
  EXPECT_THAT(message(), HasSubstr("not a JSON object"));
  index = Json::object();
  EXPECT_THAT(message(), HasSubstr("weight_map"));
}

TEST_F(AlteredIndex, TensorInTwoShards) {
  fs::copy(folder / "model-00001-of-00004.safetensors", folder / "more.safetensors");
  index["weight_map"]["model.norm.weight"] = "more.safetensors";
  EXPECT_THAT(message(), HasSubstr("in two of the shards"));
}

}  // namespace
}  // namespace btm
