// A pass over whole sequences, made by one thread or by several together: each then has rows of its own, and in the
// attention, where rows meet, heads of its own.
#pragma once

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <cstdint>

#include "btm/model/activations.h"
#include "btm/model/engine.h"
#include "btm/model/linear.h"

namespace btm {

// Rows of a pass, a token each.
struct Rows {
  int count;
  const int* positions;  // [count], of each in its sequence
};

// What falls to one of the threads.
struct Share {
  int member = 0, members = 1;
  std::barrier<>* meeting = nullptr;  // of all members; null: there is one

  // Of `count` things: those from begin() up to end().
  int begin(int count) const { return static_cast<int>(std::int64_t{count} * member / members); }
  int end(int count) const { return static_cast<int>(std::int64_t{count} * (member + 1) / members); }

  // Returns when all members are here: what each wrote before, all may read now.
  void meet() const {
    if (meeting) meeting->arrive_and_wait();
  }
};

// As one of the threads sees it.
struct Pass {
  const Engine& engine;
  const Weights& weights;
  int sequences, length;
  Rows rows;  // its own
  int first;  // of them
  Share share;
  ActivationLayout& a;          // of its rows
  const ActivationLayout& all;  // of the rows of all; with one thread the same
};

// Heads of keys and values that lie side by side in one sequence, with the queries that they serve.
struct HeadRange {
  std::size_t row;       // the first of the sequence
  AttentionShape shape;  // of these heads alone
  int q, k, v;           // their first columns of qkv; q also of what attention gives
  std::size_t log_sums;  // their first
};

// Calls f(HeadRange) for all heads that are the thread's.
template <class F>
void for_each_head_range(const Pass& pass, const F& f) {
  const ModelConfig& c = pass.engine.config;
  const int all = pass.sequences * c.kv_heads, end = pass.share.end(all), served = c.heads / c.kv_heads;
  int count = 0;
  for (int at = pass.share.begin(all); at < end; at += count) {
    const int sequence = at / c.kv_heads, head = at % c.kv_heads;
    count = std::min(end - at, c.kv_heads - head);
    AttentionShape shape = attention_shape(c, pass.length, pass.weights.operands);
    shape.heads = count * served;
    shape.kv_heads = count;
    const std::size_t row = std::size_t(sequence) * pass.length;
    const int k = c.width + head * head_dim(c);
    f(HeadRange{row, shape, head * served * head_dim(c), k, k + kv_width(c),
                row * c.heads + std::size_t(head) * served * pass.length});
  }
}

}  // namespace btm
