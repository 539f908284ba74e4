#include "btm/train/adamw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "btm/core/files.h"
#include "tests/train/run_fixture.h"

namespace btm {
namespace {

struct Case {
  TrainingSettings settings;
  std::vector<ParameterSlice> layout;
  std::vector<double> rates, norms;
  std::vector<float> initial, gradients, final;
};

Case read_case() {
  fs::path folder = test::oracle_folder() / "adamw";
  Json json = Json::parse(test::read(folder / "case.json"));
  Case c;
  read_settings(parse_yaml(json["training"].dump(), "case"), c.settings, "case");
  std::int64_t matrix = json["sizes"][0], vector = json["sizes"][1];
  c.layout = {{"matrix", {matrix}, 0, matrix, true}, {"vector", {vector}, matrix, vector, false}};
  c.rates = json["learning_rates"].get<std::vector<double>>();
  c.norms = json["norms"].get<std::vector<double>>();
  c.initial = test::read_array<float>(folder / "initial.bin");
  c.gradients = test::read_array<float>(folder / "gradients.bin");
  c.final = test::read_array<float>(folder / "final.bin");
  return c;
}

// Runs the case with the gradients dealt out to `replicas` arrays, of which each holds a share of every value.
std::vector<float> run(const Case& c, int replicas, int threads, std::vector<double>* norms = nullptr) {
  ThreadTeam team(threads);
  AdamW optimiser(c.layout, c.settings, team);
  std::vector<float> parameters = c.initial;
  std::vector<std::vector<float>> gradients(static_cast<std::size_t>(replicas), std::vector<float>(parameters.size()));
  std::vector<float*> pointers;
  for (auto& array : gradients) pointers.push_back(array.data());
  for (std::size_t step = 0; step < c.rates.size(); ++step) {
    for (auto& array : gradients) {
      for (std::size_t i = 0; i < array.size(); ++i) {
        EXPECT_EQ(array[i], 0) << "not zeroed";
        array[i] = c.gradients[step * array.size() + i] / static_cast<float>(replicas);
      }
    }
    double norm = optimiser.update(parameters.data(), pointers, c.rates[step], static_cast<std::int64_t>(step));
    if (norms) norms->push_back(norm);
  }
  return parameters;
}

TEST(AdamW, IsThatOfPyTorch) {
  Case c = read_case();
  std::vector<double> norms;
  std::vector<float> found = run(c, 1, 1, &norms);
  for (std::size_t i = 0; i < norms.size(); ++i) EXPECT_NEAR(norms[i], c.norms[i], 1e-5 * c.norms[i]);
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    worst = std::max(worst, static_cast<double>(std::abs(found[i] - c.final[i])));
  }
  EXPECT_LT(worst, 2e-6);
}

TEST(AdamW, SumsReplicas) {
  Case c = read_case();
  std::vector<float> one = run(c, 1, 1), four = run(c, 4, 1);  // a quarter four times: exact in binary
  EXPECT_EQ(one, four);
}

TEST(AdamW, DoesNotDependOnThreads) {
  Case c = read_case();
  std::vector<float> one = run(c, 2, 1);
  EXPECT_EQ(one, run(c, 2, 2));
  EXPECT_EQ(one, run(c, 2, 3));
}

TEST(AdamW, LeavesTheParametersAloneIfTheNormIsNotFinite) {
  Case c = read_case();
  ThreadTeam team(1);
  AdamW optimiser(c.layout, c.settings, team);
  std::vector<float> parameters = c.initial, gradients(parameters.size(), 1);
  gradients[7] = std::numeric_limits<float>::quiet_NaN();
  float* pointer = gradients.data();
  EXPECT_FALSE(std::isfinite(optimiser.update(parameters.data(), std::span(&pointer, 1), 1e-3, 0)));
  EXPECT_EQ(parameters, c.initial);
}

}  // namespace
}  // namespace btm
