// btm tokenize: text in, a JSON line of ids for each document out.
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "btm/core/error.h"
#include "btm/core/files.h"
#include "btm/core/interrupt.h"
#include "btm/core/log.h"
#include "btm/data/file_list.h"
#include "btm/data/text_file.h"
#include "btm/data/tokenizer.h"
#include "cli/command.h"
#include "cli/output.h"

namespace btm {
namespace {

constexpr std::size_t kBatchBytes = 4 << 20;

struct TokenizeArguments {
  TextSettings text;
  std::string tokenizer, input = "-";
  int threads = 1;
  bool json_lines = false;
};

void encode_and_print(const Tokenizer& tokenizer, std::vector<std::string>& texts, int threads) {
  std::string lines;
  for (const std::vector<TokenId>& ids : encode_all(tokenizer, texts, threads)) {
    fmt::format_to(std::back_inserter(lines), "{{\"ids\": [{}]}}\n", fmt::join(ids, ", "));
  }
  write_out(lines);
  texts.clear();
}

void tokenize(const TokenizeArguments& options) {
  const Tokenizer tokenizer = Tokenizer::load(options.tokenizer);
  const bool standard_input = options.input == "-";
  const auto files =
      standard_input ? std::vector<std::filesystem::path>{kStandardInput} : find_files({options.input}, "btm tokenize");
  std::vector<std::string> texts;
  std::size_t bytes = 0;
  for (const auto& path : files) {
    TextFile file(path, options.text, {.cut_long = false, .json_lines = options.json_lines});
    for (std::string text; file.next(text);) {
      throw_if_interrupted("interrupted");
      bytes += text.size();
      texts.push_back(std::move(text));
      if (bytes >= kBatchBytes) {
        encode_and_print(tokenizer, texts, options.threads);
        bytes = 0;
      }
    }
    if (file.repaired() > 0)
      log_warning(fmt::format("{}: not valid UTF-8; what is not was replaced by U+FFFD", path.string()));
  }
  encode_and_print(tokenizer, texts, options.threads);
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto options = std::make_shared<TokenizeArguments>();
  Command command(app, "tokenize", "Print the token ids of a text, one JSON line per document");
  command.add_option("--tokenizer", options->tokenizer, "Folder with tokenizer.json, or the file").required();
  command
      .add_option("input", options->input,
                  "File, folder or glob: .txt, .jsonl, sources; plain, .gz or .zst; - for standard input")
      .capture_default_str();
  command.add_flag("--jsonl", options->json_lines, "JSON lines, whatever the name of the input");
  command.add_option("--text-field", options->text.text_field, "Field of a JSON line that holds the text")
      .capture_default_str();
  command.add_threads(options->threads, "Threads that tokenise");
  command.footer(
      "\nA plain text file is one document. Nothing is left out, and no end-of-text is added: the ids are those of "
      "the\n"
      "text alone.");
  command.callback([options] { tokenize(*options); });
}

}  // namespace btm
