#include "btm/model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "btm/model/parameters.h"

namespace btm {
namespace {

using ::testing::HasSubstr;

ModelConfig small(Architecture architecture) {
  ModelConfig c;
  c.architecture = architecture;
  c.layers = 2;
  c.width = 96;
  c.heads = 3;
  c.context = 40;
  c.vocab_size = 500;
  return c;
}

template <class F>
std::string message_of(F&& call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    return e.what();
  }
  return "no error";
}

TEST(Resolve, FillsInWhatIsLeftOut) {
  ModelConfig gpt2 = resolve(small(Architecture::gpt2));
  EXPECT_EQ(gpt2.kv_heads, 3);
  EXPECT_EQ(gpt2.hidden, 384);
  EXPECT_TRUE(*gpt2.tied_embeddings);
  ModelConfig llama = resolve(small(Architecture::llama));
  EXPECT_EQ(llama.hidden, 256);  // 8/3 x 96
  EXPECT_FALSE(*llama.tied_embeddings);
  llama = small(Architecture::llama);
  llama.width = 99 * 6;
  EXPECT_EQ(resolve(llama).hidden, 1600);  // 1584 rounded up to 32
}

TEST(Resolve, RefusesShapesThatCannotBe) {
  auto message = [](auto change, Architecture architecture = Architecture::gpt2) {
    ModelConfig c = small(architecture);
    change(c);
    return message_of([&] { resolve(c); });
  };
  EXPECT_THAT(message([](auto& c) { c.heads = 5; }), HasSubstr("width 96 is not a multiple of model.heads 5"));
  EXPECT_THAT(message([](auto& c) { c.heads = 0; }), HasSubstr("model.heads is 0"));
  EXPECT_THAT(message([](auto& c) { c.layers = -1; }), HasSubstr("model.layers is -1"));
  EXPECT_THAT(message([](auto& c) { c.kv_heads = 1; }), HasSubstr("gpt2 has no grouped-query attention"));
  EXPECT_THAT(message([](auto& c) { c.kv_heads = 2; }, Architecture::llama), HasSubstr("not a multiple of"));
  EXPECT_THAT(message([](auto& c) { c.heads = 32; }, Architecture::llama), HasSubstr("even number"));
  EXPECT_THAT(message([](auto& c) { c.norm_epsilon = 0; }), HasSubstr("norm_epsilon"));
}

TEST(ParameterLayout, IsDenseAndNamedAsInTransformers) {
  for (Architecture architecture : {Architecture::gpt2, Architecture::llama, Architecture::qwen2}) {
    ModelConfig c = small(architecture);
    std::int64_t end = 0;
    for (const auto& slice : parameter_layout(c)) {
      EXPECT_EQ(slice.offset, end) << slice.name;
      EXPECT_EQ(slice.decay, slice.shape.size() == 2) << slice.name;
      end += slice.size;
    }
    EXPECT_EQ(end, parameter_count(c));
  }
  // wte, wpe, two blocks of 12 w^2 + 13 w, final norm
  EXPECT_EQ(parameter_count(small(Architecture::gpt2)), 540 * 96 + 2 * (12 * 96 * 96 + 13 * 96) + 2 * 96);
  EXPECT_EQ(parameter_layout(small(Architecture::gpt2))[4].name, "transformer.h.0.attn.c_attn.weight");
  EXPECT_EQ(parameter_layout(small(Architecture::llama)).back().name, "lm_head.weight");
}

TEST(ForwardFlops, AreTwicePerMatrixElementAndCausal) {
  ModelConfig c = small(Architecture::gpt2);
  EXPECT_DOUBLE_EQ(forward_flops_per_token(c), 2.0 * (2 * 12 * 96 * 96 + 500 * 96) + 2.0 * 2 * 40 * 96);
  c = small(Architecture::llama);
  c.kv_heads = 1;
  double block = 2 * 96 * 96 + 2 * 96 * 32 + 3 * 96 * 256;
  EXPECT_DOUBLE_EQ(forward_flops_per_token(c), 2.0 * (2 * block + 500 * 96) + 2.0 * 2 * 40 * 96);
}

TEST(Config, HasNoRotaryPositionsInGpt2) {
  ModelConfig c = small(Architecture::gpt2);
  c.rope_theta = 500000;
  EXPECT_EQ(settings_json(resolve(c)), settings_json(resolve(small(Architecture::gpt2))));
}

TEST(HuggingFaceConfig, ComesBackAsWritten) {
  for (Architecture architecture : {Architecture::gpt2, Architecture::llama, Architecture::qwen2}) {
    for (bool tied : {false, true}) {
      ModelConfig c = small(architecture);
      c.tied_embeddings = tied;
      c.norm_epsilon = 1e-6;
      if (architecture != Architecture::gpt2) {
        c.kv_heads = 1;
        c.rope_theta = 500000;
        if (tied) c.rope_scaling = {RopeType::llama3, 32, 1, 4, 8192};
      }
      c = resolve(c);
      Json json = Json::parse(hugging_face_config(c, 0).dump());
      EXPECT_EQ(settings_json(from_hugging_face(json, "config.json")), settings_json(c));
    }
  }
}

TEST(HuggingFaceConfig, NamesNoEndOfTextWhereThereIsNone) {
  const ModelConfig c = small(Architecture::gpt2);
  EXPECT_EQ(hugging_face_config(c, 3)["eos_token_id"], 3);
  for (const char* key : {"bos_token_id", "eos_token_id"}) EXPECT_FALSE(hugging_face_config(c, -1).contains(key));
}

TEST(HuggingFaceConfig, RefusesWhatWouldBeComputedDifferently) {
  auto message = [](Architecture architecture, const char* key, const Json& value) {
    Json json = hugging_face_config(small(architecture), 0);
    json[key] = value;
    return message_of([&] { from_hugging_face(json, "folder/config.json"); });
  };
  const auto gpt2 = Architecture::gpt2, llama = Architecture::llama;
  EXPECT_THAT(message(gpt2, "activation_function", "relu"),
              HasSubstr("folder/config.json: \"activation_function\": \"relu\" is not supported; only gelu_new is"));
  EXPECT_THAT(message(gpt2, "scale_attn_by_inverse_layer_idx", true), HasSubstr("only false is"));
  EXPECT_THAT(message(gpt2, "num_attention_heads", 1), HasSubstr("of \"n_head\" is"));
  EXPECT_THAT(message(llama, "is_causal", false), HasSubstr("\"is_causal\": false is not supported"));
  EXPECT_THAT(message(gpt2, "model_type", "bloom"), HasSubstr("only gpt2, llama or qwen2 is"));
  EXPECT_THAT(message(gpt2, "n_layer", "two"), HasSubstr("\"n_layer\" is \"two\"; expected a whole number"));
  EXPECT_THAT(message(gpt2, "n_embd", nullptr), HasSubstr("\"n_embd\" is missing"));
  EXPECT_THAT(message(gpt2, "n_head", 5), HasSubstr("folder/config.json: model.width 96 is not a multiple"));
  EXPECT_THAT(message(llama, "attention_bias", true), HasSubstr("only false is"));
  EXPECT_THAT(message(llama, "hidden_act", "gelu"), HasSubstr("only silu is"));
  EXPECT_THAT(message(Architecture::qwen2, "use_sliding_window", true), HasSubstr("only false is"));
  EXPECT_THAT(message(llama, "head_dim", 64), HasSubstr("only hidden_size / num_attention_heads is"));
  EXPECT_THAT(message(llama, "rope_parameters", Json{{"rope_type", "yarn"}}),
              HasSubstr("only rope_type default, linear or llama3 is"));
  EXPECT_THAT(message(llama, "rope_parameters", Json{{"rope_type", "llama3"}, {"factor", 8}}),
              HasSubstr("rope_parameters: \"low_freq_factor\" is missing"));
  EXPECT_THAT(message(llama, "rope_parameters", Json{{"rope_type", "linear"}, {"factor", 0.5}}),
              HasSubstr("rope_scaling.factor is 0.5; it must be at least 1"));
  Json scaled = hugging_face_config(small(llama), 0);
  scaled["rope_parameters"] = {{"rope_type", "llama3"},
                               {"factor", 8},
                               {"low_freq_factor", 1},
                               {"high_freq_factor", 4},
                               {"original_max_position_embeddings", 512}};
  scaled["original_max_position_embeddings"] = 1024;  // which transformers takes
  EXPECT_THAT(message_of([&] { from_hugging_face(scaled, "c.json"); }),
              HasSubstr("only the 512 of rope_parameters is"));
  EXPECT_THAT(message_of([] { from_hugging_face(Json::array(), "c.json"); }), HasSubstr("not a JSON object"));
}

TEST(HuggingFaceConfig, ReadsTheRotaryBaseOfBothVersions) {
  Json json = hugging_face_config(small(Architecture::llama), 0);
  json.erase("rope_parameters");
  json["rope_theta"] = 5e5;
  EXPECT_EQ(from_hugging_face(json, "c").rope_theta, 5e5);  // transformers 4
  json.erase("rope_theta");
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 2e4}};
  EXPECT_EQ(from_hugging_face(json, "c").rope_theta, 2e4);  // transformers 5
  json["rope_scaling"] = {{"rope_type", "default"}};        // transformers takes this one, with its default of 1e4
  EXPECT_THAT(message_of([&] { from_hugging_face(json, "c.json"); }), HasSubstr("rope_parameters"));
  json["rope_theta"] = 2e4;
  EXPECT_EQ(from_hugging_face(json, "c").rope_theta, 2e4);
  for (const char* key : {"rope_theta", "rope_scaling", "rope_parameters"}) json.erase(key);
  EXPECT_EQ(from_hugging_face(json, "c").rope_theta, 1e4);
}

TEST(HuggingFaceConfig, ReadsTheScaledFrequenciesOfBothVersions) {
  ModelConfig c = small(Architecture::llama);
  c.rope_theta = 500000;
  c.rope_scaling = {RopeType::llama3, 32, 1, 4, 4096};
  const Json written = hugging_face_config(c, 0), wanted = settings_json(resolve(c));
  for (const char* other : {"rope_scaling", "rope_parameters"}) {
    Json json = written;
    json.erase(other);
    EXPECT_EQ(settings_json(from_hugging_face(json, "c")), wanted) << other;
  }
  Json json = written;
  json["rope_scaling"] = {{"type", "linear"}, {"factor", 4}};  // the key of transformers 4's first versions
  EXPECT_THAT(message_of([&] { from_hugging_face(json, "c.json"); }), HasSubstr("rope_parameters"));
  json.erase("rope_parameters");
  const ModelConfig linear = from_hugging_face(json, "c");
  EXPECT_EQ(linear.rope_scaling.rope_type, RopeType::linear);
  EXPECT_EQ(linear.rope_scaling.factor, 4);
}

TEST(Config, SaysOfScalingOnlyWhereThereIsSome) {
  ModelConfig c = small(Architecture::llama);
  EXPECT_FALSE(shape_json(c).contains("rope_scaling"));
  c.rope_scaling.factor = 8;
  EXPECT_THAT(message_of([&] { resolve(c); }), HasSubstr("rope_type is default, which scales nothing"));
  c.rope_scaling.rope_type = RopeType::linear;
  EXPECT_EQ(shape_json(c)["rope_scaling"]["factor"], 8);
}

TEST(RandomModel, HasTheDeviationsOfGpt2) {
  ModelConfig c = small(Architecture::gpt2);
  Model model = random_model(c, 7), same = random_model(c, 7), other = random_model(c, 8);
  EXPECT_EQ(std::memcmp(model.parameters.data(), same.parameters.data(), model.parameters.size() * 4), 0);
  EXPECT_NE(std::memcmp(model.parameters.data(), other.parameters.data(), model.parameters.size() * 4), 0);
  for (const auto& slice : parameter_layout(c)) {
    auto values = model.parameters.span().subspan(slice.offset, slice.size);
    double square = 0;
    for (float v : values) square += double(v) * v;
    double deviation = std::sqrt(square / double(values.size()));
    if (slice.shape.size() == 1) {
      EXPECT_EQ(deviation, slice.name.ends_with(".weight") ? 1 : 0) << slice.name;
    } else {
      double expected = slice.name.ends_with("c_proj.weight") ? 0.02 / std::sqrt(4.0) : 0.02;
      EXPECT_NEAR(deviation / expected, 1, 0.05) << slice.name;
    }
  }
}

}  // namespace
}  // namespace btm
