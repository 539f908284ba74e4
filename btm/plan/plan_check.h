// Whether a plan can be what its settings say, whatever is on the disk.
#pragma once

#include <string>

#include "btm/plan/plan.h"

namespace btm {

// Throws Error(input) naming the first setting that can't be.
void check_plan(const Plan& plan);

// Throws Error(input) that begins with `where` for numbers that can't be.
void check_branch(const BranchSettings& branch, const std::string& where);

}  // namespace btm
