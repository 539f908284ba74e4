// How much work this machine can take.
#pragma once

namespace btm {

// Cores that this process may run on: fewer than the machine has under taskset, a cpuset, or a batch system's job.
int usable_cores();

double memory_bytes();  // of the machine

}  // namespace btm
