// btm grow --dry-run.
#pragma once

#include "btm/plan/plan.h"

namespace btm {

// Prints what growing the plan will take. Throws Error(input) if this machine has not the memory or the disk for it.
void dry_run(const Plan& plan, bool json);

}  // namespace btm
