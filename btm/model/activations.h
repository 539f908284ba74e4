// What a forward pass leaves behind, allocated once.
#pragma once

#include <vector>

#include "btm/core/buffer.h"
#include "btm/model/config.h"
#include "btm/model/operands.h"

namespace btm {

// All [rows, ...]; `input` and `middle` are the residual stream before the attention and before the feed-forward part.
// The stream, statistics and sums are float32; the rest is in the format that products round to.
struct BlockActivations {
  float* input;                   // [rows, width]
  OperandArray attention_normed;  // [rows, width]
  float* attention_statistics;    // [rows, 2]
  OperandArray qkv;               // [rows, qkv_width]
  OperandArray attended;          // [rows, width]
  float* log_sums;                // [rows x heads]: [heads, length] for each sequence
  float* middle;                  // [rows, width]
  OperandArray mlp_normed;        // [rows, width]
  float* mlp_statistics;          // [rows, 2]
  OperandArray up;                // [rows, up_width]
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
  OperandArray activated;   // [rows, hidden], of one block: the backward pass makes it again from `up`
  float* projected;         // [rows, width]: what a block's last product adds to the residual stream
  float* wide;              // [rows, max(qkv_width, up_width)], of a product whose numbers are kept rounded; else none
  float* workspace;         // of attention
};

// The rows of `all` from `first` on, as `part`; its log_sums, which are not by rows, stay those of all, and so does its
// workspace. Allocates nothing when `part` has been of the same model before.
void take_rows(const ActivationLayout& all, const ModelConfig& config, int first, ActivationLayout& part);

struct Activations : ActivationLayout {
  // For `rows` rows whose attention needs `workspace` floats.
  Activations(const ModelConfig& config, int rows, Keep keep, Operands operands, std::size_t workspace);

 private:
  Buffer storage_;
};

// Of that storage, in floats.
std::size_t activation_floats(const ModelConfig& config, int rows, Keep keep, Operands operands, std::size_t workspace);

}  // namespace btm
