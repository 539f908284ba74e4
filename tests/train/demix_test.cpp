// Runs of a baseline: DEMix, and a deal of the data.
#include "btm/model/demix.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "btm/core/files.h"
#include "btm/model/checkpoint.h"
#include "btm/train/batch_source.h"
#include "tests/train/run_fixture.h"

namespace btm {
namespace {

TEST(Demix, LeavesAModelPerDomainThatSharesAllButTheFeedForwards) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.demix = true;
  test::train(folder / "run", job);
  ASSERT_EQ(job.data.size(), 2u);
  Model first = load_model(folder / "run/model" / job.data[0].domain),
        second = load_model(folder / "run/model" / job.data[1].domain);
  for (const ParameterSlice& slice : parameter_layout(job.model)) {
    auto part = [&slice](const Model& model) { return model.parameters.span().subspan(slice.offset, slice.size); };
    const bool own = slice.name.find(".mlp.") != std::string::npos;
    EXPECT_NE(std::ranges::equal(part(first), part(second)), own) << slice.name;
  }
}

TEST(Demix, OfOneDomainIsThePlainModel) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  job.data.resize(1);
  test::train(folder / "plain", job);
  job.demix = true;
  test::train(folder / "demix", job);
  EXPECT_EQ(test::read(folder / "plain/model/model.safetensors"),
            test::read(folder / "demix/model" / job.data[0].domain / "model.safetensors"));
}

TEST(BatchSource, PutsTheSequencesOfADomainTogetherForDemix) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  BatchSource mixed(job);
  job.demix = true;
  BatchSource sorted(job);
  for (std::int64_t update = 0; update < 3; ++update) {
    mixed.read(update);
    sorted.read(update);
    EXPECT_TRUE(std::ranges::is_sorted(sorted.domains()));
    // The same sequences of the same domains.
    const auto length = static_cast<std::size_t>(job.model.context);
    auto rows = [length](const BatchSource& source) {
      std::vector<std::pair<int, std::vector<TokenId>>> all;
      for (std::size_t i = 0; i < source.domains().size(); ++i) {
        auto row = source.inputs().subspan(i * length, length);
        all.push_back({source.domains()[i], {row.begin(), row.end()}});
      }
      std::ranges::sort(all);
      return all;
    };
    EXPECT_EQ(rows(mixed), rows(sorted));
  }
}

TEST(BatchSource, BeginsAtAnyRoundAndPartsAreDealtOutSequenceBySequence) {
  test::TemporaryFolder folder;
  TrainingJob job = test::small_job(folder);
  BatchSource whole(job);
  std::vector<std::vector<TokenId>> stream;
  const auto length = static_cast<std::size_t>(job.model.context);
  auto take = [length](const BatchSource& source, std::vector<std::vector<TokenId>>& out) {
    for (std::size_t at = 0; at < source.inputs().size(); at += length) {
      auto row = source.inputs().subspan(at, length);
      out.emplace_back(row.begin(), row.end());
    }
  };
  for (std::int64_t update = 0; update < 6; ++update) {
    whole.read(update);
    take(whole, stream);
  }
  job.first_round = 2;  // of two sequences
  BatchSource later(job);
  std::vector<std::vector<TokenId>> rest;
  later.read(0);
  take(later, rest);
  for (std::size_t i = 0; i < rest.size(); ++i) EXPECT_EQ(rest[i], stream[4 + i]);
  job.first_round = 0;
  for (int part = 0; part < 3; ++part) {
    job.part = part;
    job.parts = 3;
    BatchSource dealt(job);
    std::vector<std::vector<TokenId>> own;
    for (std::int64_t update = 0; update < 2; ++update) {
      dealt.read(update);
      take(dealt, own);
    }
    for (std::size_t i = 0; i < own.size(); ++i) EXPECT_EQ(own[i], stream[3 * i + static_cast<std::size_t>(part)]);
  }
}

}  // namespace
}  // namespace btm
