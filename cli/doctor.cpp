#include <hwy/highway.h>
#include <hwy/targets.h>

#include <fstream>
#include <memory>
#include <string>

#include "btm/core/cores.h"
#include "btm/core/format.h"
#include "btm/core/settings.h"
#include "btm/model/kernels/gemm.h"
#include "btm/train/device.h"
#include "btm/train/gemm_peak.h"
#include "btm/train/ranks.h"
#include "btm/version.h"
#include "cli/command.h"

namespace btm {
namespace {

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

// The instruction sets that the kernels are compiled for and this processor has, best first.
std::vector<std::string> instruction_sets() {
  std::vector<std::string> result;
  for (std::int64_t targets = hwy::SupportedTargets() & HWY_TARGETS; targets != 0; targets &= targets - 1) {
    const std::string name = hwy::TargetName(targets & -targets);
    result.push_back(name == "AVX3" ? "AVX-512" : name);
  }
  return result;
}

Json examine() {
  int cores = usable_cores();
  Json json;
  json["version"] = kVersion;
  json["processor"] = processor();
  json["cores"] = cores;
  json["memory_bytes"] = memory_bytes();
  json["instruction_sets"] = instruction_sets();
  const Operands operands = fastest_operands();
  json["precision"] = to_word(operands);
  ThreadTeam one(1), all(cores);
  json["mpi"] = mpi_library();
  json["gemm_flops_one_thread"] = measure_gemm_peak(one, operands);
  json["gemm_flops_all_threads"] = measure_gemm_peak(all, operands);
  json["gemm_flops_int16"] = measure_gemm_peak(all, Operands::int16);
  json["gpu"] = nullptr;
  NoGpu none;
  if (const auto gpu = find_gpu(&none)) {
    json["gpu"] = {{"name", gpu->name},
                   {"count", gpu->count},
                   {"memory_bytes", gpu->memory_bytes},
                   {"gemm_flops", measure_gpu_peak()}};
  } else {
    json["no_gpu"] = none.reason;
  }
  return json;
}

void run(bool as_json) {
  Json json = examine();
  if (as_json) {
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("btm {}\n", kVersion);
  fmt::print("processor         {}, {} cores\n", json["processor"].get<std::string>(), json["cores"].get<int>());
  fmt::print("memory            {}B\n", format_count(json["memory_bytes"].get<double>()));
  fmt::print("instruction sets  {} (the first one is used)\n",
             fmt::join(json["instruction_sets"].get<std::vector<std::string>>(), ", "));
  fmt::print("precision: auto   {}\n", json["precision"].get<std::string>());
  const auto mpi = json["mpi"].get<std::string>();
  fmt::print("MPI               {}\n", mpi.empty() ? "none: launcher.ranks needs it" : mpi);
  fmt::print("matrix products   {}FLOP/s on one thread, {}FLOP/s on all; in int16 {}FLOP/s\n",
             format_count(json["gemm_flops_one_thread"].get<double>()),
             format_count(json["gemm_flops_all_threads"].get<double>()),
             format_count(json["gemm_flops_int16"].get<double>()));
  if (const Json& gpu = json["gpu"]; gpu.is_null()) {
    fmt::print("GPU               none: {}\n", json["no_gpu"].get<std::string>());
  } else {
    fmt::print("GPU               {} x {}, {}B of memory, matrix products {}FLOP/s in bf16\n", gpu["count"].get<int>(),
               gpu["name"].get<std::string>(), format_count(gpu["memory_bytes"].get<double>()),
               format_count(gpu["gemm_flops"].get<double>()));
  }
}

}  // namespace

void add_doctor(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  Command command(app, "doctor", "Say what this machine has and what btm makes of it");
  command.add_flag("--json", *json, "Print as JSON");
  command.callback([json] { run(*json); });
}

}  // namespace btm
