#include "tests/model/checkpoint_support.h"

#include <gtest/gtest.h>

#include <cstring>

#include "btm/core/error.h"
#include "tests/support/temporary_folder.h"

namespace btm::test {

std::string input_error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

std::vector<OracleTensor> read_oracle_values(const std::filesystem::path& folder) {
  std::string bytes = read(folder / "values.bin");
  std::vector<OracleTensor> tensors;
  for (const Json& entry : Json::parse(read(folder / "index.json"))) {
    OracleTensor tensor{entry[0], entry[1], {}};
    std::size_t size = 1;
    for (std::int64_t extent : tensor.shape) size *= static_cast<std::size_t>(extent);
    tensor.values.resize(size);
    std::memcpy(tensor.values.data(), bytes.data() + entry[2].get<std::size_t>() * sizeof(float), size * sizeof(float));
    tensors.push_back(tensor);
  }
  return tensors;
}

void expect_equal(const Model& model, const std::vector<OracleTensor>& expected) {
  auto layout = parameter_layout(model.config);
  ASSERT_EQ(layout.size(), expected.size());
  ASSERT_EQ(model.parameters.size(), static_cast<std::size_t>(parameter_count(model.config)));
  for (const ParameterSlice& slice : layout) {
    auto tensor = std::ranges::find(expected, slice.name, &OracleTensor::name);
    ASSERT_NE(tensor, expected.end()) << slice.name;
    ASSERT_EQ(tensor->shape, slice.shape) << slice.name;
    EXPECT_EQ(std::memcmp(tensor->values.data(), model.parameters.data() + slice.offset,
                          static_cast<std::size_t>(slice.size) * sizeof(float)),
              0)
        << slice.name;
  }
}

std::string safetensors_bytes(std::string_view header, std::string_view data) {
  std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes.append(header).append(data);
}

Model small_model(std::uint64_t seed) {
  ModelConfig config;
  config.layers = 2;
  config.width = 8;
  config.heads = 2;
  config.context = 5;
  config.vocab_size = 11;
  return random_model(config, seed);
}

}  // namespace btm::test
