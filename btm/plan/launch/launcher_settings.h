// `launcher` of a plan: where the training runs.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "btm/core/settings.h"
#include "btm/train/device.h"

namespace btm {

enum class LauncherKind { local, slurm };
inline std::array<std::pair<LauncherKind, std::string_view>, 2> names(LauncherKind) {
  return {{{LauncherKind::local, "local"}, {LauncherKind::slurm, "slurm"}}};
}

struct LauncherSettings {
  LauncherKind kind = LauncherKind::local;
  Device device = Device::automatic;
  std::optional<int> workers, threads;
  std::string partition, account, gres, time;
  int nodes = 1, ranks = 1;
  std::string mpi;
  std::vector<std::string> extra;
  int retries = 2;
};
template <class F>
void visit(LauncherSettings& s, F&& f) {
  f("kind", s.kind, "local: processes on this machine; slurm: jobs of a cluster, see docs/cluster.md");
  f("device", s.device, "cpu, cuda or auto: a GPU where there is one (and btm was built with `make cuda`)");
  f("workers", s.workers,
    "experts trained at once; auto: local: as many as cores, which they split, or as GPUs; slurm: no limit");
  f("threads", s.threads,
    "of each expert, or of each of its ranks; auto: local: its share of the cores, on a GPU 1; slurm: 1");
  f("partition", s.partition, "slurm: where jobs go; empty: the cluster's default");
  f("account", s.account, "slurm: who pays");
  f("gres", s.gres, "slurm: resources of each expert, e.g. gpu:1");
  f("time", s.time, "slurm: limit of a job, e.g. 4:00:00; an expert that isn't done then saves and queues again");
  f("nodes", s.nodes, "slurm: of each expert");
  f("ranks", s.ranks, "processes that train one expert together, over MPI, with `threads` or a GPU each");
  f("mpi", s.mpi,
    "command that starts them; empty: local: mpirun -np RANKS --bind-to none; slurm: srun --mpi=pmix --wait=10");
  f("extra", s.extra, "slurm: more options for sbatch, of the jobs that train, e.g. [--mem=8G, --exclude=n7]");
  f("retries", s.retries, "slurm: how often a lost or failed job is sent again if it made no progress");
}

}  // namespace btm
