// The runs of a forest that are not published yet, as btm ls shows them.
#pragma once

#include <string>
#include <vector>

#include "btm/forest/forest.h"
#include "btm/train/run_status.h"

namespace btm {

struct OpenRun {
  std::string name;
  RunStatus status;
  std::string job;          // of Slurm; "": none
  double seconds_left = 0;  // at the speed of lately; 0: not known
};

std::vector<OpenRun> open_runs(const Forest& forest);  // by name

std::string run_table(const std::vector<OpenRun>& runs);

}  // namespace btm
