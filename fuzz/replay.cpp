// Runs a target without libFuzzer: on every file of a corpus, and on mutations of each that are the same every time.
//   fuzz_TARGET CORPUS      exit code 0, or a crash: then fuzz_TARGET.last_input in the working folder is why
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;
using btm::Random;

constexpr int kMutations = 1000;  // of each file
constexpr int kMostChanges = 4;   // of a mutation

std::vector<std::string> read_corpus(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<std::string> inputs;
  for (const fs::path& file : files) inputs.push_back(btm::read_file(file));
  return inputs;
}

// Bytes changed, cut away, said twice, taken from another input.
void change(std::string& input, const std::string& other, Random& random) {
  const std::size_t at = random.below(input.size() + 1), length = random.below(input.size() - at + 1);
  switch (random.below(5)) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(random.below(256));
      break;
    case 1:
      if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
      break;
    case 2:
      input.resize(at);
      break;
    case 3:
      input.insert(at, input.substr(at, length));
      break;
    default:
      input.replace(at, length, other.substr(std::min(at, other.size()), random.below(other.size() + 1)));
  }
}

// Kept open and written in place: a file that is made anew thousands of times waits for the disk each time.
class LastInput {
 public:
  explicit LastInput(fs::path path)
      : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDWR | O_CREAT, 0666)) {}
  ~LastInput() {
    ::close(descriptor_);
    fs::remove(path_);
  }
  LastInput(const LastInput&) = delete;
  LastInput& operator=(const LastInput&) = delete;
  void write(const std::string& input) const {
    const auto size = static_cast<ssize_t>(input.size());
    if (::pwrite(descriptor_, input.data(), input.size(), 0) != size || ::ftruncate(descriptor_, size) != 0) {
      throw btm::input_error("{}: can't be written", path_.string());
    }
  }

 private:
  fs::path path_;
  int descriptor_;
};

void run(const LastInput& last, const std::string& input) {
  last.write(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: {} CORPUS\n", argv[0]);
    return 2;
  }
  const std::vector<std::string> inputs = read_corpus(argv[1]);
  const LastInput last{fs::path(argv[0]).filename().string() + ".last_input"};
  Random random(inputs.size());
  for (const std::string& input : inputs) {
    run(last, input);
    for (int i = 0; i < kMutations; ++i) {
      std::string mutant = input;
      for (auto changes = 1 + random.below(kMostChanges); changes > 0; --changes) {
        change(mutant, inputs[random.below(inputs.size())], random);
      }
      run(last, mutant);
    }
  }
  fmt::print("{} inputs, {} mutations of each\n", inputs.size(), kMutations);
  return inputs.empty() ? 1 : 0;
}
