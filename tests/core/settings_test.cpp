#include "btm/core/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace btm {
namespace {

enum class Color { red, green };
std::array<std::pair<Color, std::string_view>, 2> names(Color) {
  return {{{Color::red, "red"}, {Color::green, "green"}}};
}

struct Inner {
  double rate = 0.5;
  Color color = Color::red;
};
template <class F>
void visit(Inner& s, F&& f) {
  f("rate", s.rate, "a rate");
  f("color", s.color, "a colour");
}

struct Outer {
  std::int64_t tokens = 1;
  std::optional<int> workers;
  std::vector<std::string> domains;
  NamedList<Inner> inner;
};
template <class F>
void visit(Outer& s, F&& f) {
  f("tokens", s.tokens, "how many");
  f("workers", s.workers, "how many at once");
  f("domains", s.domains, "which");
  f("inner", s.inner, "by name");
}

Outer parse(const std::string& text) {
  Outer outer;
  read_settings(parse_yaml(text, "plan.yaml"), outer, "plan.yaml");
  return outer;
}

std::string message(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Settings, ReadsEveryKind) {
  Outer s = parse("{tokens: 4M, workers: 3, domains: all, inner: {b: {rate: 2e-3, color: green}, a: {}}}");
  EXPECT_EQ(s.tokens, 4'000'000);
  EXPECT_EQ(s.workers, 3);
  EXPECT_EQ(s.domains, std::vector<std::string>{"all"});
  ASSERT_EQ(s.inner.size(), 2u);
  EXPECT_EQ(s.inner[0].first, "b");
  EXPECT_EQ(s.inner[0].second.rate, 2e-3);
  EXPECT_EQ(s.inner[0].second.color, Color::green);
  EXPECT_EQ(s.inner[1].second.rate, 0.5);
  EXPECT_FALSE(parse("workers: auto").workers.has_value());
}

TEST(Settings, ErrorsNameLineKeyAndNearest) {
  EXPECT_THAT(message("tokens: 1\ndomain: [a]"), testing::AllOf(testing::HasSubstr("plan.yaml: line 2: domain"),
                                                                testing::HasSubstr("did you mean 'domains'?")));
  EXPECT_THAT(message("inner: {a: {rate: fast}}"), testing::HasSubstr("inner.a.rate must be a number, found 'fast'"));
  EXPECT_THAT(message("inner: {a: {color: gren}}"), testing::HasSubstr("did you mean 'green'?"));
  EXPECT_THAT(message("tokens: [1, 2]"), testing::HasSubstr("tokens must be a count, found a list"));
  EXPECT_THAT(message("workers: 3G"),
              testing::HasSubstr("workers must be a count from -2147483648 to 2147483647, found '3G'"));
  EXPECT_THAT(message("workers: many"), testing::EndsWith("; or auto"));
  EXPECT_THAT(message("tokens: {"), testing::HasSubstr("plan.yaml: line"));
}

TEST(Settings, OverridesReachTheTree) {
  YAML::Node root = parse_yaml("{tokens: 1, inner: {a: {rate: 1}}}", "x");
  apply_override(root, "tokens=16k");
  apply_override(root, "inner.a.rate=0.25");
  apply_override(root, "inner.b.color=green");
  Outer s;
  read_settings(root, s, "x");
  EXPECT_EQ(s.tokens, 16'000);
  EXPECT_EQ(s.inner[0].second.rate, 0.25);
  EXPECT_EQ(s.inner[1].second.color, Color::green);
  EXPECT_THROW(apply_override(root, "tokens"), Error);
}

TEST(Settings, OverridesThatAreWrongHaveNoLineInTheFile) {
  YAML::Node root = parse_yaml("{tokens: 1}", "x");
  apply_override(root, "tokens=many");
  Outer s;
  try {
    read_settings(root, s, "x with --set");
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::StartsWith("x with --set: tokens: 'many' is not a count"));
  }
}

TEST(Settings, AnOverrideThatHoldsItselfIsAnError) {
  for (const char* assignment : {"tokens=&x [*x]", "inner=&x {a: *x}"}) {
    YAML::Node root = parse_yaml("{tokens: 1}", "x");
    apply_override(root, assignment);
    Outer s;
    EXPECT_THROW(read_settings(root, s, "x"), Error) << assignment;
  }
}

TEST(Settings, OverridesOfWhatIsNotThereAreRefused) {
  const auto refused = [](const char* assignment) {
    YAML::Node root = parse_yaml("{tokens: 1, list: [a, {tokens: 1}]}", "x");
    try {
      apply_override(root, assignment);
      return std::string("taken");
    } catch (const Error& e) {
      return std::string(e.what());
    }
  };
  EXPECT_EQ(refused("list.1.tokens=2"), "taken");
  EXPECT_THAT(refused("tokens.all=2"), testing::HasSubstr("before 'all' is '1', which has no keys"));
  EXPECT_THAT(refused("list.0.tokens=2"), testing::HasSubstr("before 'tokens' is 'a', which has no keys"));
  EXPECT_THAT(refused("list.tokens=2"), testing::HasSubstr("before 'tokens' is a list"));
  EXPECT_THAT(refused("list.2=2"), testing::HasSubstr("there are only 2 entries"));
  EXPECT_THAT(refused("list.99999999999999999999=2"), testing::HasSubstr("there are only 2 entries"));
}

TEST(Settings, JsonAndYamlReadBack) {
  Outer s = parse("{tokens: 7, domains: [a, b], inner: {x: {color: green}}}");
  Json json = settings_json(s);
  EXPECT_EQ(settings_json(parse(json.dump())), json);
  EXPECT_EQ(settings_json(parse(to_yaml(json))), json);
}

TEST(Settings, HelpHasEveryField) {
  std::string help = settings_help<Outer>();
  for (const char* word : {"tokens: 1", "workers: auto", "NAME", "rate: 0.5", "a colour"}) {
    EXPECT_THAT(help, testing::HasSubstr(word));
  }
}

}  // namespace
}  // namespace btm
