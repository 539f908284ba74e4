// Training by somebody else's program: any that reads a Hugging Face checkpoint and writes one.
#pragma once

#include <filesystem>

#include "btm/train/job.h"
#include "btm/train/result.h"

namespace btm {

// Throws Error(input) if the command can't be a trainer's: no {output}, or braces around a word that is not known.
void check_trainer_command(const std::string& command);

// Runs job.trainer in a shell, with these words filled in:
//   {init}         folder of the checkpoint to start from
//   {tokens}       a folder for each domain: {train,dev,test}.{bin,idx}, Megatron-LM's format
//   {text}         a file for each domain: its train documents, {"text": ...} a line
//   {output}       folder for the checkpoint that it leaves, there already; kept when a stopped run goes on
//   {token_count}  to train on
//   {threads}      that it may use
// and leaves RUN/model as our own trainer does, with the dev loss measured by btm, and the costs of {token_count}
// tokens. SIGINT, SIGTERM and SIGUSR1 are passed on as SIGTERM, and all of the command's process group is waited for.
// Throws Error(input) if the program fails or what it leaves is no checkpoint of the job's shape.
TrainingResult run_external_trainer(const std::filesystem::path& run, TrainingJob job);

// What it keeps in the run's folder until the run is done.
void remove_trainer_folders(const std::filesystem::path& run);

}  // namespace btm
