// Drives the tokenizer for corpus_check.py and compare.py. Texts come on standard input, each as a 32-bit size and
// bytes.
//   bench_tokenizer ids TOKENIZER THREADS            writes each text's ids: a 32-bit count and 32-bit ids
//   bench_tokenizer time TOKENIZER THREADS ROUNDS    prints the seconds of each round of encoding, one a line
//   bench_tokenizer train DIR VOCAB_SIZE THREADS     trains a tokenizer into DIR, prints the seconds
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/stopwatch.h"
#include "btm/data/bpe_train.h"
#include "btm/data/tokenizer.h"

namespace {

std::vector<std::string> read_texts() {
  std::vector<std::string> texts;
  std::uint32_t size = 0;
  while (std::cin.read(reinterpret_cast<char*>(&size), sizeof size)) {
    texts.emplace_back(size, '\0');
    std::cin.read(texts.back().data(), size);
  }
  return texts;
}

void write_ids(const btm::Tokenizer& tokenizer, const std::vector<std::string>& texts, int threads) {
  for (const auto& ids : btm::encode_all(tokenizer, texts, threads)) {
    const auto count = static_cast<std::uint32_t>(ids.size());
    std::cout.write(reinterpret_cast<const char*>(&count), sizeof count);
    std::cout.write(reinterpret_cast<const char*>(ids.data()), static_cast<std::streamsize>(count * sizeof ids[0]));
  }
}

void run(const std::vector<std::string>& arguments) {
  const std::string& command = arguments.at(0);
  const std::string& path = arguments.at(1);
  const int number = std::stoi(arguments.at(2));
  const std::vector<std::string> texts = read_texts();
  if (command == "ids") {
    write_ids(btm::Tokenizer::load(path), texts, number);
  } else if (command == "time") {
    const btm::Tokenizer tokenizer = btm::Tokenizer::load(path);
    for (int round = 0; round < std::stoi(arguments.at(3)); ++round) {
      const btm::Stopwatch watch;
      const auto ids = btm::encode_all(tokenizer, texts, number);
      fmt::print("{}\n", watch.seconds());
    }
  } else {
    const btm::Stopwatch watch;
    const auto source = [&](const auto& take) {
      for (const std::string& text : texts) take(text);
    };
    const btm::Tokenizer tokenizer = btm::train_bpe(source, number, std::stoi(arguments.at(3)));
    fmt::print("{}\n", watch.seconds());
    tokenizer.save(path);
  }
}

}  // namespace

int main(int count, char** values) {
  try {
    std::ios::sync_with_stdio(false);
    run(std::vector<std::string>(values + 1, values + count));
    return 0;
  } catch (const btm::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.cause());
  } catch (const std::out_of_range&) {
    fmt::print(stderr, "usage: bench_tokenizer ids|time|train PATH NUMBER [NUMBER] < texts\n");
    return 2;
  }
}
