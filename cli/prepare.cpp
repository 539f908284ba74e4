// btm prepare: one domain's text into token files.
#include "btm/data/prepare.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "btm/core/files.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/forest/output_place.h"
#include "cli/command.h"
#include "cli/count_option.h"

namespace btm {
namespace {

struct PrepareArguments {
  TextSettings text;
  std::string tokenizer, output, name;
  std::string least_tokens = "1";
  int threads = 1;
  bool json = false;
};

// "\n" as people type it in a shell becomes a line end; so with \t, \r and \\.
std::string unescape(const std::string& typed) {
  std::string text;
  for (std::size_t i = 0; i < typed.size(); ++i) {
    const std::size_t escape = typed[i] == '\\' && i + 1 < typed.size() ? std::string_view("ntr\\").find(typed[i + 1])
                                                                        : std::string_view::npos;
    text += escape == std::string_view::npos ? typed[i] : "\n\t\r\\"[escape];
    if (escape != std::string_view::npos) ++i;
  }
  return text;
}

void print_report(const DomainReport& report, const std::string& folder) {
  fmt::print("{}: {} -> {}\n\n", report.name, counted(report.files, "file"), folder);
  fmt::print("{:<6} {:>12} {:>14} {:>14} {:>12}\n", "", "documents", "tokens", "bytes", "bytes/token");
  auto row = [](const char* name, const SplitCounts& counts) {
    fmt::print("{:<6} {:>12} {:>14} {:>14} {:>12.2f}\n", name, counts.documents, counts.tokens, counts.bytes,
               static_cast<double>(counts.bytes) / static_cast<double>(std::max<std::int64_t>(counts.tokens, 1)));
  };
  row("train", report.train);
  row("dev", report.dev);
  row("test", report.test);
  fmt::print("\nleft out: {} duplicates, {} without text; repaired (invalid UTF-8): {}\n", report.duplicates,
             report.empty_documents, report.invalid_utf8);
}

void prepare(PrepareArguments options) {
  check_output_place(options.output, "tokens");
  const fs::path folder = fs::path(options.output) / "";  // so that "tokens/bible" and "tokens/bible/" are the same
  if (options.name.empty()) options.name = folder.parent_path().filename().string();
  options.text.split_documents_on = unescape(options.text.split_documents_on);
  options.text.except = {folder.parent_path()};
  const Tokenizer tokenizer = Tokenizer::load(options.tokenizer);
  const DomainReport report = prepare_domain(options.text, options.name, tokenizer, folder.parent_path(),
                                             count_option("--least-tokens", options.least_tokens), options.threads);
  if (options.json) {
    fmt::print("{}\n", settings_json(report).dump(2));
  } else {
    print_report(report, folder.parent_path().string());
  }
}

}  // namespace

void add_prepare(CLI::App& app) {
  auto options = std::make_shared<PrepareArguments>();
  Command command(app, "prepare", "Turn a domain's text into token files for training");
  command.add_option("--tokenizer", options->tokenizer, "Folder with tokenizer.json, or the file").required();
  command
      .add_option("--text", options->text.text,
                  "Files, folders or globs (quoted): .txt, .jsonl, sources; plain, .gz or .zst")
      .required();
  command
      .add_option("-o,--output", options->output,
                  "Folder to write; older tokens there are replaced once the new ones are whole")
      .required();
  command.add_option("--name", options->name, "Name of the domain; default: the folder's");
  command.add_option("--split-documents-on", options->text.split_documents_on,
                     "In plain text files a document ends here, e.g. '\\n\\n'; default: a file is a document");
  command.add_option("--text-field", options->text.text_field, "Field of a JSON line that holds the text")
      .capture_default_str();
  command.add_option("--least-tokens", options->least_tokens, "Fail if there are fewer tokens to train on")
      .capture_default_str();
  command.add_threads(options->threads, "Threads that tokenise");
  command.add_flag("--json", options->json, "Print the report (domain.json) as JSON");
  command.footer(
      "\nDocuments are split by the SHA-256 of their text: 96 % train, 2 % dev, 2 % test. Files are in Megatron-LM's\n"
      "indexed dataset format: OUTPUT/{train,dev,test}.{bin,idx}, and the report in OUTPUT/domain.json.");
  command.callback([options] { prepare(*options); });
}

}  // namespace btm
