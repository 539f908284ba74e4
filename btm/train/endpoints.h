// Where a run starts and what it leaves.
#pragma once

#include <filesystem>
#include <optional>

#include "btm/model/demix.h"
#include "btm/model/parameters.h"
#include "btm/train/job.h"

namespace btm {

// Of a DEMix job; nullopt for a plain model.
std::optional<DemixLayout> demix_layout(const TrainingJob& job);

// The weights that the job starts from (of a DEMix job, all domains' parameters); fills in init_sha256 if it is empty.
// Throws Error(input) if they are of another shape or hash than the job says.
Model initial_model(TrainingJob& job);

// Throws Error(input) if the job names a tokenizer that can't be read or has more tokens than the model: found at the
// start rather than when all is trained.
void check_tokenizer(const TrainingJob& job);

// The model as transformers reads it, with the job's tokenizer, in a folder that is there.
void save_checkpoint_folder(const std::filesystem::path& folder, const TrainingJob& job, const Model& model);

// Throws Error(input), heading it with `where`, if a checkpoint's shape is not the job's.
void require_same_shape(const ModelConfig& found, const TrainingJob& job, const std::string& where);

// RUN/model: weights, config and tokenizer, whole or not at all; of a DEMix job RUN/model/DOMAIN for each domain.
void save_final_model(const std::filesystem::path& run, const TrainingJob& job, const Model& model);

}  // namespace btm
