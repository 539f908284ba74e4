#include "tests/train/run_fixture.h"

#include <sstream>

#include "btm/core/files.h"
#include "btm/data/token_store.h"
#include "btm/train/result.h"

namespace btm::test {
namespace {

constexpr int kDocument = 37;  // tokens

void write_tokens(const fs::path& prefix, int vocab_size, int tokens, int stride) {
  TokenStoreWriter writer(prefix, vocab_size);
  std::vector<TokenId> document;
  for (int i = 0, value = 0; i < tokens; ++i) {
    value = (value + stride + (i % 11 == 0)) % vocab_size;
    document.push_back(value);
    if (static_cast<int>(document.size()) == kDocument || i + 1 == tokens) {
      writer.add(document);
      document.clear();
    }
  }
  writer.publish();
}

}  // namespace

void write_domain(const fs::path& folder, int vocab_size, int train_tokens, int dev_tokens, int stride) {
  make_folders(folder);
  write_tokens(folder / "train", vocab_size, train_tokens, stride);
  write_tokens(folder / "dev", vocab_size, dev_tokens, stride);
}

TrainingJob small_job(const TemporaryFolder& folder) {
  TrainingJob job;
  job.name = "small";
  job.model.layers = 2;
  job.model.width = 32;
  job.model.heads = 4;
  job.model.context = 16;
  job.model.vocab_size = 64;
  job.model = resolve(job.model);
  job.training.batch_tokens = 4 * 16 + 5;  // rounded down to 4 sequences
  job.training.warmup = 0.25;
  job.training.dev_every = 5;
  job.tokens = 12 * 4 * 16 + 9;  // rounded down to 12 updates
  for (int i = 0; i < 2; ++i) {
    std::string name = i == 0 ? "one" : "two";
    write_domain(folder / name, job.model.vocab_size, 900, 100, i + 2);
    job.data.push_back({name, (folder / name).string(), ""});
  }
  return job;
}

TrainingResult train(const fs::path& run, const TrainingJob& job) {
  save_job(run, job);
  return run_training(run, {.quiet = true});
}

std::vector<Json> read_lines(const fs::path& path) {
  std::vector<Json> lines;
  std::istringstream text(read(path));
  for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
  return lines;
}

}  // namespace btm::test
