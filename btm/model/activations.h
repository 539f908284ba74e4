// What a forward pass leaves behind, allocated once.
#pragma once

#include <vector>

#include "btm/core/buffer.h"
#include "btm/model/config.h"

namespace btm {

// All [rows, ...]; `input` and `middle` are the residual stream before the attention and before the feed-forward part.
struct BlockActivations {
  float* input;                 // [rows, width]
  float* attention_normed;      // [rows, width]
  float* attention_statistics;  // [rows, 2]
  float* qkv;                   // [rows, qkv_width]
  float* attended;              // [rows, width]
  float* log_sums;              // [rows x heads]: [heads, length] for each sequence
  float* middle;                // [rows, width]
  float* mlp_normed;            // [rows, width]
  float* mlp_statistics;        // [rows, 2]
  float* up;                    // [rows, up_width]
  float* activated;             // [rows, hidden]
};

enum class Keep {
  all,      // every block has its own, for a backward pass
  inputs,   // the blocks share one set but for their inputs, from which the backward pass makes it again
  nothing,  // the blocks share one set, and the residual stream is updated in place
};

struct ActivationLayout {
  std::vector<BlockActivations> blocks;
  float* final_sum;         // [rows, width]
  float* final_normed;      // [rows, width]
  float* final_statistics;  // [rows, 2]
  float* projected;         // [rows, width]: what a block's last product adds to the residual stream
  float* workspace;
};

struct Activations : ActivationLayout {
  // For `rows` rows whose attention needs `workspace` floats.
  Activations(const ModelConfig& config, int rows, Keep keep, std::size_t workspace);

 private:
  Buffer storage_;
};

// Of that storage, in floats.
std::size_t activation_floats(const ModelConfig& config, int rows, Keep keep, std::size_t workspace);

}  // namespace btm
