// The batch scripts of the jobs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "btm/plan/launch/launcher_settings.h"

namespace btm {

// Task i of a job array trains runs[i], and appends what it prints to RUN/log.txt. Told to stop (time limit,
// preemption) the worker saves, and the task queues again.
std::string training_script(const std::filesystem::path& program, const LauncherSettings& settings,
                            const std::vector<std::filesystem::path>& runs);

// Set in the environment of a command's job.
inline constexpr char kGoesOn[] = "BTM_GOES_ON";
// Runs the command.
std::string command_script(const std::vector<std::string>& command);

}  // namespace btm
