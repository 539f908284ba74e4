// A DEMix model is, for each domain, the plain model that lies in its parameters.
#include "btm/model/demix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "btm/model/transformer.h"
#include "tests/model/oracle_case.h"

namespace btm {
namespace {

using test::oracle_case;
using test::OracleCase;

constexpr int kDomains = 3;

class DemixOracle : public ::testing::TestWithParam<const char*> {
 protected:
  const OracleCase& c = oracle_case(GetParam());
  DemixLayout layout{c.model.config, kDomains};

  Model random_demix() const {  // no two feed-forwards alike
    Model demix{c.model.config, demix_parameters(layout, c.model)};
    for (std::size_t i = 0; i < demix.parameters.size(); ++i) demix.parameters.data()[i] *= 1 + 0.1f * float(i % 7);
    return demix;
  }
};
INSTANTIATE_TEST_SUITE_P(Cases, DemixOracle, ::testing::Values("gpt2", "gpt2_untied", "llama", "llama_grouped"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(DemixOracle, BeginsAsThePlainModelForEveryDomain) {
  Model demix{c.model.config, demix_parameters(layout, c.model)};
  for (int domain = 0; domain < kDomains; ++domain) {
    Model own = demix_model(layout, demix, domain);
    EXPECT_TRUE(std::ranges::equal(own.parameters.span(), c.model.parameters.span())) << domain;
  }
  const std::int64_t plain = parameter_count(c.model.config);
  EXPECT_EQ(layout.size, plain + (kDomains - 1) * feed_forward_parameters(c.model.config));
  EXPECT_LT(feed_forward_parameters(c.model.config), plain);
}

TEST_P(DemixOracle, LossAndGradientsAreThoseOfTheDomainsPlainModel) {
  const Model demix = random_demix();
  for (int domain = 0; domain < kDomains; ++domain) {
    Transformer plain(c.model.config, c.sequences, c.length, Transformer::Use::training);
    const Model own = demix_model(layout, demix, domain);
    Buffer expected(own.parameters.size());
    double loss = plain.train(own.parameters.data(), c.tokens, c.targets, c.scale, expected.data());
    Transformer shared(c.model.config, c.sequences, c.length, Transformer::Use::training);
    shared.use(layout.offsets[domain]);
    Model gradients{c.model.config, Buffer(demix.parameters.size())};
    EXPECT_EQ(shared.train(demix.parameters.data(), c.tokens, c.targets, c.scale, gradients.parameters.data()), loss);
    EXPECT_TRUE(std::ranges::equal(demix_model(layout, gradients, domain).parameters.span(), expected.span()));
    // Nothing reaches the other domains' feed-forwards.
    std::int64_t touched = 0, own_touched = 0;
    for (float x : gradients.parameters.span()) touched += x != 0;
    for (float x : expected.span()) own_touched += x != 0;
    EXPECT_EQ(touched, own_touched);
  }
}

// Two threads that train together go from domain to domain.
TEST_P(DemixOracle, ThreadsTogetherGiveTheSameGradients) {
  const Model demix = random_demix();
  constexpr int kMembers = 2;
  const auto gradients_of = [&](Transformer& transformer, int member, Buffer& gradients) {
    double loss = 0;
    for (int domain = 0; domain < kDomains; ++domain) {
      transformer.use(layout.offsets[domain], member);
      loss += transformer.train(demix.parameters.data(), c.tokens, c.targets, c.scale, gradients.data(), {}, member);
    }
    return loss;
  };
  Transformer alone(c.model.config, c.sequences, c.length, Transformer::Use::training);
  Buffer expected(demix.parameters.size());
  const double loss = gradients_of(alone, 0, expected);
  Transformer shared(c.model.config, c.sequences, c.length, Transformer::Use::training, Operands::fp32, kMembers);
  Buffer gradients(demix.parameters.size());
  double losses[kMembers];
  std::thread other([&] { losses[1] = gradients_of(shared, 1, gradients); });
  losses[0] = gradients_of(shared, 0, gradients);
  other.join();
  EXPECT_NEAR((losses[0] + losses[1]) / loss, 1, 1e-6);
  double difference = 0, square = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(double(gradients.data()[i]) - expected.data()[i], 2);
    square += std::pow(double(expected.data()[i]), 2);
  }
  EXPECT_LE(difference, 1e-10 * square);
  EXPECT_THROW(shared.logits(demix.parameters.data(), c.tokens, {}), Error);  // of one thread alone
}

}  // namespace
}  // namespace btm
