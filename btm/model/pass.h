// A pass over whole sequences, made by one thread or by several together: each then has rows of its own, and in the
// attention, where rows meet, heads of its own.
#pragma once

#include <algorithm>
#include <cstddef>

#include "btm/core/share.h"
#include "btm/model/activations.h"
#include "btm/model/engine.h"
#include "btm/model/linear.h"

namespace btm {

// Rows of a pass, a token each.
struct Rows {
  int count;
  const int* positions;  // [count], of each in its sequence
};

// As one of the threads sees it.
struct Pass {
  const Engine& engine;
  const Weights& weights;
  int sequences, length;
  Share share;
  Rows all_rows, rows;          // of all threads, and its own
  int first;                    // of its own among those of all
  const ActivationLayout& all;  // of the rows of all
  ActivationLayout& a;          // of its own; with one thread the same
};

// Heads of queries that lie side by side in one sequence, with the keys and values that serve them: whole groups of
// such queries, or a part of one group.
struct HeadRange {
  std::size_t row;       // the first of the sequence
  AttentionShape shape;  // of these heads alone
  int q, k, v;           // their first columns of qkv; q also of what attention gives
  std::size_t log_sums;  // their first
};

// Calls f(HeadRange) for all heads that are the thread's. `together` heads of queries go to one thread: 1, or all that
// one head of keys serves.
template <class F>
void for_each_head_range(const Pass& pass, int together, const F& f) {
  const ModelConfig& c = pass.engine.config;
  const int served = c.heads / c.kv_heads, pieces = pass.sequences * c.heads / together;
  const int end = pass.share.end(pieces) * together;
  int count = 0;
  for (int at = pass.share.begin(pieces) * together; at < end; at += count) {
    const int sequence = at / c.heads, head = at % c.heads, group = head / served, within = head % served;
    const int left = std::min(end - at, c.heads - head);
    const bool whole = within == 0 && left >= served;
    count = whole ? left / served * served : std::min(left, served - within);
    AttentionShape shape = attention_shape(c, pass.length, pass.weights.operands);
    shape.heads = count;
    shape.kv_heads = whole ? count / served : 1;
    const std::size_t row = std::size_t(sequence) * pass.length;
    const int k = c.width + group * head_dim(c);
    f(HeadRange{row, shape, head * head_dim(c), k, k + kv_width(c), row * c.heads + std::size_t(head) * pass.length});
  }
}

}  // namespace btm
