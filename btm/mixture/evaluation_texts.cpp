#include "btm/mixture/evaluation_texts.h"

#include <algorithm>
#include <set>
#include <span>

#include "btm/core/error.h"
#include "btm/core/half_written.h"
#include "btm/data/prepare.h"
#include "btm/data/token_store.h"

namespace btm {

namespace {

constexpr std::size_t kBatchBytes = 4 << 20;  // of text that is encoded at a time

struct Sizes {
  std::size_t dev, test;  // tokens to take at most, the first one's context included
  std::size_t least;      // tokens that make a sample
};

std::vector<TokenId> read_start(const std::filesystem::path& prefix, std::size_t most) {
  TokenStore store(prefix);
  std::vector<TokenId> tokens(std::min(most, static_cast<std::size_t>(store.tokens())));
  store.copy_stream(0, tokens);
  return tokens;
}

struct Samples {
  std::vector<TokenId> dev, test;
};

Samples cut_end_to_end(const std::vector<TokenId>& tokens, const Sizes& sizes) {
  auto dev = static_cast<std::ptrdiff_t>(std::min(tokens.size() / 4, sizes.dev));
  auto test = std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(tokens.size()) - dev,
                                       static_cast<std::ptrdiff_t>(sizes.test));
  return {{tokens.begin(), tokens.begin() + dev}, {tokens.begin() + dev, tokens.begin() + dev + test}};
}

Samples read_text(const EvaluationText& text, const ForestPaths& forest, const Tokenizer& tokenizer, const Sizes& sizes,
                  int threads) {
  const std::size_t most = 4 * sizes.dev + sizes.test;  // of a text laid end to end
  Samples own;
  std::vector<TokenId> all;
  std::vector<std::string> documents;
  std::vector<Split> splits;
  std::size_t bytes = 0;
  const auto take = [](std::vector<TokenId>& sample, std::span<const TokenId> ids, std::size_t limit) {
    const std::size_t count = std::min(ids.size(), limit - sample.size());
    sample.insert(sample.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
  };
  const auto encode_batch = [&] {
    auto encoded = encode_all(tokenizer, documents, threads);
    for (std::size_t i = 0; i < encoded.size(); ++i) {
      if (tokenizer.end_of_text() >= 0) encoded[i].push_back(tokenizer.end_of_text());
      take(all, encoded[i], most);
      if (splits[i] == Split::dev) take(own.dev, encoded[i], std::max(sizes.dev, sizes.least));
      if (splits[i] == Split::test) take(own.test, encoded[i], std::max(sizes.test, sizes.least));
    }
    documents.clear();
    splits.clear();
    bytes = 0;
  };
  DomainReport report;
  TextSettings settings;
  settings.text = {text.path};
  settings.except = {forest.root};
  read_documents(settings, text.name, report, [&](std::string&& document, const std::string&, Split split) {
    if (split == Split::train && all.size() == most) return;
    bytes += document.size();
    documents.push_back(std::move(document));
    splits.push_back(split);
    if (bytes >= kBatchBytes) encode_batch();
  });
  encode_batch();
  if (own.dev.size() < sizes.least || own.test.size() < sizes.least) return cut_end_to_end(all, sizes);
  own.dev.resize(std::min(own.dev.size(), sizes.dev));
  own.test.resize(std::min(own.test.size(), sizes.test));
  return own;
}

DomainTexts make_texts(const std::string& name, const std::string& role, Samples samples, const Tokenizer& tokenizer) {
  if (samples.test.size() < 2) {
    throw input_error("{}: {} tokens of test text, too few to score; give it more text", name, samples.test.size());
  }
  check_tokens(samples.test, tokenizer.vocab_size(), name);
  DomainTexts texts{name, role, {}, {}, 0};
  for (TokenId token : std::span(samples.test).subspan(1)) texts.test_bytes += tokenizer.byte_length(token);
  texts.dev = make_text(name + "/dev", std::move(samples.dev));
  texts.test = make_text(name + "/test", std::move(samples.test));
  return texts;
}

}  // namespace

std::vector<EvaluationDomain> evaluation_domains(const Forest& forest) {
  std::vector<EvaluationDomain> train, novel;
  std::set<std::string> trained;
  for (const ExpertInfo& expert : forest.experts) {
    if (!expert.imported) trained.insert(expert.domains.begin(), expert.domains.end());
  }
  auto folder = forest.paths.tokens();
  std::set<std::string> names;
  if (std::filesystem::is_directory(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (!is_half_written(entry.path()) && std::filesystem::exists(entry.path() / "test.idx"))
        names.insert(entry.path().filename().string());
    }
  }
  for (const std::string& name : names) {
    if (trained.contains(name)) {
      train.push_back({name, "train"});
    } else {
      novel.push_back({name, "novel"});
    }
  }
  train.insert(train.end(), novel.begin(), novel.end());
  return train;
}

std::vector<DomainTexts> load_texts(const ForestPaths& paths, const Tokenizer& tokenizer,
                                    const EvaluateSettings& settings, const std::vector<EvaluationDomain>& domains,
                                    const std::vector<EvaluationText>& texts, int window, int threads) {
  auto length = static_cast<std::size_t>(window);
  Sizes sizes{static_cast<std::size_t>(settings.dev_sequences) * length + 1,
              static_cast<std::size_t>(settings.tokens_per_domain) + 1, kLeastWindows * length + 1};
  std::vector<DomainTexts> loaded;
  auto refuse_second = [&loaded](const std::string& name) {
    for (const auto& other : loaded) {
      if (other.name == name) throw input_error("two texts of the name {}; name them apart", name);
    }
  };
  for (const auto& [name, role] : domains) {
    refuse_second(name);
    Samples samples{read_start(paths.tokens(name) / "dev", sizes.dev),
                    read_start(paths.tokens(name) / "test", sizes.test)};
    loaded.push_back(make_texts(name, role, std::move(samples), tokenizer));
  }
  for (const EvaluationText& text : texts) {
    refuse_second(text.name);
    loaded.push_back(make_texts(text.name, "novel", read_text(text, paths, tokenizer, sizes, threads), tokenizer));
  }
  return loaded;
}

}  // namespace btm
