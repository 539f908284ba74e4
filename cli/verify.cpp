// btm verify: is every file of a forest what was written?
#include "btm/plan/verify/verify.h"

#include <algorithm>
#include <memory>

#include "btm/core/error.h"
#include "btm/core/format.h"
#include "btm/core/log.h"
#include "btm/core/settings.h"
#include "cli/command.h"

namespace btm {
namespace {

struct VerifyArguments {
  std::string forest;
  int threads = 1;
  bool json = false;
};

std::int64_t count(const Verification& result, Verdict verdict) {
  return std::ranges::count(result.findings, verdict, &Finding::verdict);
}

void print_json(const Verification& result) {
  Json json = {{"files", result.files}, {"bytes", result.bytes}};
  for (const auto& [verdict, name] : names(Verdict())) json[name] = Json::array();
  for (const Finding& finding : result.findings) {
    Json& item = json[to_word(finding.verdict)].emplace_back(Json{{"file", finding.file}, {"what", finding.what}});
    if (!finding.remedy.empty()) item["remedy"] = finding.remedy;
  }
  fmt::print("{}\n", json.dump(2));
}

void print_text(const VerifyArguments& options, const Verification& result) {
  for (const Finding& finding : result.findings) {
    if (finding.verdict == Verdict::exempt && log_level() != LogLevel::verbose) continue;
    fmt::print("{:<10}  {}: {}{}{}\n", to_word(finding.verdict), finding.file, finding.what,
               finding.remedy.empty() ? "" : "; ", finding.remedy);
  }
  fmt::print("{}: {} files, {}B read", options.forest, result.files, format_count(static_cast<double>(result.bytes)));
  for (const auto& [verdict, name] : names(Verdict())) {
    if (const std::int64_t found = count(result, verdict)) fmt::print(", {} {}", found, name);
  }
  fmt::print("\n");
}

void run_verify(const VerifyArguments& options) {
  const Verification result = verify_forest(options.forest, options.threads, options.json);
  options.json ? print_json(result) : print_text(options, result);
  std::fflush(stdout);
  const std::int64_t bad = count(result, Verdict::damaged) + count(result, Verdict::missing);
  if (bad > 0) {
    throw failure("{}: {} damaged or missing; what to do is said with each", options.forest, counted(bad, "file"));
  }
  if (const std::int64_t closed = count(result, Verdict::unreadable); closed > 0) {
    throw input_error("{}: {} can't be read by this user; verify as their owner", options.forest,
                      counted(closed, "file"));
  }
}

}  // namespace

void add_verify(CLI::App& app) {
  auto options = std::make_shared<VerifyArguments>();
  Command command(app, "verify", "Check every file of a forest against what was written");
  command.add_option("FOREST", options->forest, "Folder of the forest").required();
  command.add_threads(options->threads, "Files read at once");
  command.add_flag("--json", options->json, "Print as JSON: findings by kind");
  command.footer(
      "\nNames every file that is\n"
      "  damaged     not what was written, down to a byte\n"
      "  missing     but known to others that are there\n"
      "  unreadable  by this user\n"
      "  unexpected  not of the forest\n"
      "  unchecked   written by an older btm, without a hash\n"
      "  exempt      written again all the time: locks, states and logs of workers, lines behind the last checkpoint\n"
      "              (listed with --verbose and --json)\n"
      "and says what to do. Changes nothing, and may run while others work on the forest. Exit code 1 if something is\n"
      "damaged or missing, 2 if there is no forest or a file can't be read, else 0.");
  command.callback([options] { run_verify(*options); });
}

}  // namespace btm
