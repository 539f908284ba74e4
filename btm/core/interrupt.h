// SIGINT, SIGTERM and SIGUSR1 (by which batch systems tell of the end of a job's time) as a flag that long work looks
// at between its steps.
#pragma once

namespace btm {

void catch_interrupts();  // once, in main; a second signal of the same kind ends the process at once
bool interrupted();
// Error(interrupted)
void throw_if_interrupted(const char* message = "interrupted; everything done so far is saved");

}  // namespace btm
