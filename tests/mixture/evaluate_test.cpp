// A whole evaluation against float64 Python (tests/oracle/mixture_cases.py).
#include "btm/mixture/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <functional>
#include <map>
#include <numbers>
#include <set>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/interrupt.h"
#include "btm/forest/merge.h"
#include "btm/forest/remove.h"
#include "btm/mixture/form.h"
#include "btm/model/checkpoint.h"
#include "tests/mixture/planted_forest.h"

namespace btm {
namespace {

using test::evaluate, test::info_of, test::plant, test::row_of, test::run_of, test::settings_of, test::write_tokens;
using testing::ElementsAre;
using testing::HasSubstr;

struct Evaluate : test::PlantedForest {};

TEST_F(Evaluate, EveryRowEqualsTheFormulas) {
  plant(paths_, cases_);
  Json evaluation = evaluate(paths_, settings_of(cases_));
  double tokens = cases_["test_tokens"];
  for (const auto& [model, losses] : cases_["rows"].items()) {
    const Json& row = row_of(evaluation, model);
    for (const auto& [domain, loss] : losses.items()) {
      double perplexity = std::exp(loss.get<double>() / tokens);
      double bits = loss.get<double>() / std::numbers::ln2 / cases_["bytes"][domain].get<double>();
      const Json& found = row["domains"][domain];
      EXPECT_NEAR(found["perplexity"].get<double>() / perplexity, 1, 1e-4) << model << " " << domain;
      EXPECT_NEAR(found["bits_per_byte"].get<double>() / bits, 1, 1e-4) << model << " " << domain;
    }
  }
  double runs = cases_["dropping_runs"].get<double>() / (4 * tokens);
  EXPECT_NEAR(row_of(evaluation, "ensemble_dropping")["experts_per_token"].get<double>(), runs, 0.005 * runs);
  EXPECT_EQ(evaluation["domains"]["odd"]["role"], "novel");
  EXPECT_EQ(evaluation["domains"]["a"]["role"], "train");
  EXPECT_EQ(evaluation["domains"]["a"]["tokens"], cases_["test_tokens"]);
  EXPECT_EQ(evaluation["domains"]["a"]["bytes"], cases_["bytes"]["a"]);
}

TEST_F(Evaluate, MeansAreArithmeticOverDomainsAndComputeIsSummed) {
  plant(paths_, cases_);
  Json evaluation = evaluate(paths_, settings_of(cases_));
  const Json& row = row_of(evaluation, "ensemble");
  auto perplexity = [&](const char* domain) { return row["domains"][domain]["perplexity"].get<double>(); };
  double train = (perplexity("a") + perplexity("b") + perplexity("c")) / 3;
  EXPECT_NEAR(row["mean"]["train"]["perplexity"], train, 1e-9);
  EXPECT_NEAR(row["mean"]["novel"]["perplexity"], perplexity("odd"), 1e-9);
  EXPECT_NEAR(row["mean"]["all"]["perplexity"], (3 * train + perplexity("odd")) / 4, 1e-9);
  EXPECT_EQ(row["training"]["tokens"], 2500);
  EXPECT_EQ(row_of(evaluation, "dense")["training"]["tokens"], 2500);
  EXPECT_EQ(row_of(evaluation, "seed")["training"]["tokens"], 1000);
  EXPECT_DOUBLE_EQ(row["training"]["updates_per_second"], (10 + 3 * 5) / (4 * 0.5));
  EXPECT_DOUBLE_EQ(row_of(evaluation, "dense")["training"]["updates_per_second"], (15 + 10) / (2 * 0.5));
  EXPECT_EQ(row["experts_per_token"], 3.0);
  EXPECT_EQ(row_of(evaluation, "top_2")["experts_per_token"], 2.0);
  auto one = parameter_count(load_config(paths_.seed()));
  EXPECT_EQ(row_of(evaluation, "top_2")["active_parameters"], 2 * one);
  for (const auto& [model, loaded] : {std::pair("ensemble", 3),
                                      {"top_1", 1},
                                      {"top_2", 2},
                                      {"top_2_by_token", 3},
                                      {"ensemble_dropping", 3},
                                      {"ensemble_and_seed", 4},
                                      {"ensemble_and_average", 4},
                                      {"product_of_experts", 3},
                                      {"average_uniform", 1},
                                      {"oracle", 1}}) {
    EXPECT_EQ(row_of(evaluation, model)["memory_bytes"], 4 * loaded * one) << model;
  }
  EXPECT_EQ(row_of(evaluation, "average_uniform")["experts_per_token"], 1.0);
}

// Whatever its domain is called where it comes from: here nobody trained on it. The best single expert is the best one
// on what was trained on here.
TEST_F(Evaluate, AnImportedExpertMakesNoDomainOneOfTraining) {
  EvaluateSettings settings = settings_of(cases_);
  settings.mixtures = {"ensemble"};
  for (const std::string own : {"a", "b", "c"}) {
    const ForestPaths paths{folder_ / own};
    plant(paths, cases_, {});
    for (const std::string name : {"a", "b", "c"}) {
      ExpertInfo info = info_of(name, "expert", 500);
      if (name != own) info.imported = Origin{name, {}};
      merge_expert(paths, run_of(paths, name), info);
    }
    const Json evaluation = evaluate(paths, settings);
    for (const auto& [domain, texts] : cases_["texts"].items()) {
      EXPECT_EQ(evaluation["domains"][domain]["role"], domain == own ? "train" : "novel") << domain << " of " << own;
      EXPECT_EQ(row_of(evaluation, "best_single")["domains"][domain]["model"], own);
    }
    EXPECT_EQ(row_of(evaluation, "ensemble")["mean"]["train"]["perplexity"],
              row_of(evaluation, "ensemble")["domains"][own]["perplexity"]);
    EXPECT_EQ(row_of(evaluation, "ensemble")["experts_per_token"], 3.0) << "the others are mixed in, too";
  }
}

// seed -> a -> b -> c, of which a and b were removed: without their training there would be no c.
TEST_F(Evaluate, RemovedAncestorsAreInWhatTrainingTook) {
  plant(paths_, cases_, {});
  std::string parent = "seed";
  for (const char* name : {"a", "b", "c"}) {
    ExpertInfo info = info_of(name, "expert", 500);
    info.parents = {{parent, 1, ""}};
    merge_expert(paths_, run_of(paths_, name), info);
    parent = name;
  }
  for (const char* name : {"a", "b"}) remove_expert(open_forest(paths_.root), name, Descendants::keep);
  EvaluateSettings settings = settings_of(cases_);
  settings.mixtures = {"ensemble"};
  const Json training = row_of(evaluate(paths_, settings), "ensemble")["training"];
  EXPECT_EQ(training["tokens"], 1000 + 3 * 500);
  EXPECT_EQ(training["updates"], 10 + 3 * 5);
  EXPECT_EQ(training["flops"], 1e6 * 2500);
  EXPECT_EQ(training["device_seconds"], 4);
}

TEST_F(Evaluate, LeavesOutASpeedThatIsNotKnown) {
  plant(paths_, cases_);
  ExpertInfo expert = load_expert(paths_.expert("b"));
  expert.threads = 0;
  save_expert(paths_.expert("b"), expert);
  EvaluateSettings settings = settings_of(cases_);
  settings.mixtures = {"ensemble"};
  Json evaluation = evaluate(paths_, settings);
  EXPECT_FALSE(row_of(evaluation, "ensemble")["training"].contains("updates_per_second"));
  EXPECT_TRUE(row_of(evaluation, "dense")["training"].contains("updates_per_second"));
}

TEST_F(Evaluate, DoesNotDependOnThreadsAndScoresNothingTwice) {
  plant(paths_, cases_);
  Json first = evaluate(paths_, settings_of(cases_), 1);
  auto written = [&] {
    std::set<fs::file_time_type> times;
    for (const auto& entry : fs::directory_iterator(paths_.results() / "scores")) times.insert(entry.last_write_time());
    return times;
  };
  auto times = written();
  Json again = evaluate(paths_, settings_of(cases_), 2);
  EXPECT_EQ(written(), times);
  fs::remove_all(paths_.results());
  Json anew = evaluate(paths_, settings_of(cases_), 2);
  for (Json* json : {&first, &again, &anew}) {
    for (Json& row : (*json)["rows"]) row.erase("tokens_per_second");
  }
  EXPECT_EQ(first, again);
  EXPECT_EQ(first, anew);
}

TEST_F(Evaluate, LeavesOutATopOfAllExperts) {
  plant(paths_, cases_);
  EvaluateSettings settings = settings_of(cases_);
  settings.mixtures = {"ensemble", "top_2", "top_3", "top_4", "top_3_by_token"};
  const Json evaluation = evaluate(paths_, settings);
  std::vector<std::string> rows;
  for (const Json& row : evaluation["rows"]) rows.push_back(row["model"]);
  EXPECT_THAT(rows, ElementsAre("seed", "dense", "ensemble", "top_2", "best_single", "oracle"));
}

TEST_F(Evaluate, AFormIsTheSameAloneAsBesideOthers) {
  plant(paths_, cases_);
  const Json all = evaluate(paths_, settings_of(cases_));
  for (const char* mixture : {"ensemble", "top_2", "top_2_by_token", "average_em"}) {
    EvaluateSettings settings = settings_of(cases_);
    settings.mixtures = {mixture};
    EXPECT_EQ(row_of(evaluate(paths_, settings), mixture)["domains"], row_of(all, mixture)["domains"]) << mixture;
  }
}

// Loss of a domain in a row, nats per token.
double loss_of(const Json& evaluation, const std::string& model, const std::string& domain) {
  return std::log(row_of(evaluation, model)["domains"][domain]["perplexity"].get<double>());
}

TEST_F(Evaluate, FittedAveragesAreNoWorseOnTheirSampleThanWhereTheyStart) {
  plant(paths_, cases_);
  for (const auto& [domain, texts] : cases_["texts"].items()) {  // the sample itself is what is scored
    fs::remove_all(paths_.tokens(domain));
    write_tokens(paths_, domain, {{"dev", texts["dev"]}, {"test", texts["dev"]}}, cases_["vocab_size"]);
  }
  EvaluateSettings settings = settings_of(cases_);
  settings.dev_sequences = 5;
  settings.tokens_per_domain = 5 * load_config(paths_.seed()).context;
  settings.mixtures = {"average_uniform", "average_posterior", "average_em", "average_fitted", "average_interpolated"};
  Json evaluation = evaluate(paths_, settings);
  double gained = 0;
  for (const auto& [domain, texts] : cases_["texts"].items()) {
    double fitted = loss_of(evaluation, "average_fitted", domain);
    for (const char* start : {"average_uniform", "average_posterior", "average_em"}) {
      EXPECT_LE(fitted, loss_of(evaluation, start, domain) + 1e-3) << start << " " << domain;
    }
    gained += loss_of(evaluation, "average_em", domain) - fitted;
    EXPECT_LE(loss_of(evaluation, "average_interpolated", domain), loss_of(evaluation, "average_em", domain) + 1e-4);
    EXPECT_LE(loss_of(evaluation, "average_interpolated", domain), loss_of(evaluation, "seed", domain) + 1e-4);
    double sum = 0;
    for (const Json& weight : row_of(evaluation, "average_fitted")["domains"][domain]["weights"])
      sum += weight.get<double>();
    EXPECT_NEAR(sum, 1, 1e-9);
  }
  EXPECT_GT(gained, 0.001);
}

TEST_F(Evaluate, ScoresOnlyTheExpertThatIsNew) {
  plant(paths_, cases_, {"a", "b"});
  EvaluateSettings settings = settings_of(cases_);
  settings.mixtures = {"ensemble"};
  evaluate(paths_, settings);
  auto count = [&] {
    auto begin = fs::directory_iterator(paths_.results() / "scores");
    return std::distance(fs::begin(begin), fs::end(begin));
  };
  auto before = count();
  merge_expert(paths_, run_of(paths_, "c"), info_of("c", "expert", 500));
  Json evaluation = evaluate(paths_, settings);
  EXPECT_EQ(count() - before, 8);  // dev and test of four domains
  EXPECT_EQ(row_of(evaluation, "ensemble")["experts_per_token"], 3.0);
}

TEST_F(Evaluate, ProductIsOfTheExpertThatIsNewToo) {
  plant(paths_, cases_, {"a", "b"});
  EvaluateSettings settings = settings_of(cases_);
  settings.mixtures = {"product_of_experts"};
  evaluate(paths_, settings);
  merge_expert(paths_, run_of(paths_, "c"), info_of("c", "expert", 500));
  const Json row = row_of(evaluate(paths_, settings), "product_of_experts");
  for (const auto& [domain, loss] : cases_["rows"]["product_of_experts"].items()) {
    const double perplexity = std::exp(loss.get<double>() / cases_["test_tokens"].get<double>());
    EXPECT_NEAR(row["domains"][domain]["perplexity"].get<double>() / perplexity, 1, 1e-4) << domain;
  }
}

TEST_F(Evaluate, DamagedScoresAreMadeAgain) {
  plant(paths_, cases_);
  EvaluateSettings settings = settings_of(cases_);
  settings.mixtures = {"ensemble"};
  Json before = evaluate(paths_, settings);
  for (const char* damage : {"longer", "another number"}) {
    for (const auto& entry : fs::directory_iterator(paths_.results() / "scores")) {
      std::string bytes = read_file(entry.path());
      if (std::string_view(damage) == "longer") {
        bytes += "x";
      } else {
        bytes[bytes.size() - 2] ^= 1;
      }
      write_file(entry.path(), bytes);
    }
    EXPECT_EQ(row_of(evaluate(paths_, settings), "ensemble")["domains"], row_of(before, "ensemble")["domains"])
        << damage;
  }
}

TEST_F(Evaluate, KeepsTheScoresThatItTookFromAnotherForest) {
  plant(paths_, cases_);
  const ForestPaths other{folder_ / "other"};
  plant(other, cases_);
  EvaluateSettings settings = settings_of(cases_);
  settings.mixtures = {"ensemble"};
  evaluate(other, settings);
  const auto files = [](const ForestPaths& paths) {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::directory_iterator(paths.scores()))
      found[entry.path().filename()] = read_file(entry.path());
    return found;
  };
  const Forest forest = open_forest(paths_.root);
  evaluate_forest(forest, settings, evaluation_domains(forest), {}, {{Device::cpu, 1}, true, {other.scores()}});
  EXPECT_EQ(files(paths_), files(other)) << "with the seconds that it took there";
}

TEST_F(Evaluate, WeightsOfAnAverageAreThoseThatWereUsed) {
  plant(paths_, cases_);
  EvaluateSettings settings = settings_of(cases_);
  settings.mixtures = {"average_em"};
  settings.dev_sequences = 40;
  bool left_out = false;
  const Json evaluation = evaluate(paths_, settings);
  for (const auto& [domain, result] : row_of(evaluation, "average_em")["domains"].items()) {
    double most = 0, sum = 0;
    for (const auto& [name, weight] : result["weights"].items()) most = std::max(most, weight.get<double>());
    for (const auto& [name, weight] : result["weights"].items()) {
      EXPECT_TRUE(weight == 0.0 || weight.get<double>() >= kLeastShare * most) << domain << " " << name;
      left_out = left_out || weight == 0.0;
      sum += weight.get<double>();
    }
    EXPECT_NEAR(sum, 1, 1e-12);
  }
  EXPECT_TRUE(left_out) << "or this test sees nothing";
}

TEST_F(Evaluate, ASignalIsHeardBeforeTheNextTextIsScored) {
  plant(paths_, cases_);
  const pid_t child = ::fork();
  if (child == 0) {  // the flag can't be taken back
    catch_interrupts();
    ::raise(SIGTERM);
    try {
      evaluate(paths_, settings_of(cases_), 1);
    } catch (const Error& e) {
      ::_exit(static_cast<int>(e.cause()));
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_TRUE(fs::is_empty(paths_.scores()));
}

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.cause(), Cause::input);
    return e.what();
  }
  return "no error";
}

TEST_F(Evaluate, RefusesWhatCannotBe) {
  EXPECT_THAT(message_of([] { parse_form("averge_uniform", {}); }), HasSubstr("did you mean 'average_uniform'"));
  EXPECT_THROW(parse_form("top_0", {}), Error);
  EXPECT_THROW(parse_form("top_x", {}), Error);
  plant(paths_, cases_, {});
  EXPECT_THAT(message_of([&] { evaluate(paths_, settings_of(cases_)); }), HasSubstr("no experts"));
  merge_expert(paths_, run_of(paths_, "a"), info_of("a", "expert", 500));
  EvaluateSettings settings = settings_of(cases_);
  settings.tokens_per_domain = 0;
  EXPECT_THROW(evaluate(paths_, settings), Error);
}

TEST_F(Evaluate, KeepsScoresOfRoundedProductsApart) {
  plant(paths_, cases_);
  const EvaluateSettings settings = settings_of(cases_);
  const Json exact = evaluate(paths_, settings);
  auto files = [this] {
    const auto entries = fs::directory_iterator(paths_.results() / "scores");
    return std::distance(begin(entries), end(entries));
  };
  const auto of_fp32 = files();
  const Forest forest = open_forest(paths_.root);
  for (const auto& [precision, difference] : {std::pair(Precision::bf16, 0.01), {Precision::int16, 0.001}}) {
    SCOPED_TRACE(to_word(precision));
    const auto before = files();
    const Json rounded =
        evaluate_forest(forest, settings, evaluation_domains(forest), {}, {{Device::cpu, 2, precision}, true});
    EXPECT_GE(files(), before + of_fp32);  // the weights of averages may differ, too
    const double ratio = row_of(rounded, "ensemble")["mean"]["all"]["perplexity"].get<double>() /
                         row_of(exact, "ensemble")["mean"]["all"]["perplexity"].get<double>();
    EXPECT_NE(ratio, 1);
    EXPECT_NEAR(ratio, 1, difference);
  }
  EXPECT_EQ(row_of(evaluate(paths_, settings), "ensemble")["mean"], row_of(exact, "ensemble")["mean"]);
}

}  // namespace
}  // namespace btm
