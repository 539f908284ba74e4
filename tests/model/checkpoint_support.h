// What the tests of files and averages share.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "btm/model/parameters.h"

namespace btm::test {

// The message of the Error(input) that the call throws; fails the test if it throws none.
std::string input_error_of(const std::function<void()>& call);

// One tensor as an oracle program wrote it (OUT/NAME.values).
struct OracleTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
std::vector<OracleTensor> read_oracle_values(const std::filesystem::path& folder);

// Every parameter of the model is there, bit by bit, and nothing else.
void expect_equal(const Model& model, const std::vector<OracleTensor>& expected);

// The bytes of a safetensors file with this header and as many bytes of data.
std::string safetensors_bytes(std::string_view header, std::string_view data);

Model small_model(std::uint64_t seed);  // GPT-2 family, 2 layers, width 8, vocabulary 11

}  // namespace btm::test
