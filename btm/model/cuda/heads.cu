#include "btm/model/cuda/columns.cuh"
#include "btm/model/cuda/heads.h"
#include "btm/model/cuda/rope.cuh"

namespace btm::cuda {
namespace {

constexpr int kThreads = 128;

struct Apart {
  HeadGradients from;
  int width, kv_width;  // of a row of queries, and of one of keys or of values

  __device__ int joined() const { return width + 2 * kv_width; }
  // Where the numbers of a row of qkv from that column on lie, up to the end of their head.
  __device__ const bf16* at(int row, int column) const {
    if (column < width) return from.q + std::size_t(row) * from.q_stride + column;
    column -= width;
    if (column < kv_width) return from.k + std::size_t(row) * from.kv_stride + column;
    return from.v + std::size_t(row) * from.kv_stride + column - kv_width;
  }
};

Apart apart_of(const AttentionShape& shape, const HeadGradients& from) {
  return {from, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim};
}

// For sum_columns().
struct Join {
  using Loaded = Pack<bf16, kColumnStep>;
  static constexpr int kRowsAtOnce = 8;
  Apart apart;
  bf16* d_qkv;

  __device__ Loaded load(int row, int column) const { return cuda::load<kColumnStep>(apart.at(row, column)); }
  __device__ Pack<float, kColumnStep> put(int row, int column, const Loaded& x) const {
    if (apart.from.q != d_qkv) store(d_qkv + std::size_t(row) * apart.joined() + column, x);
    return to_floats(x);
  }
};

// A thread turns or copies kPairs pairs of a head.
__global__ void join_turned_kernel(const float* table, int rows, int length, int turned, int head_dim, Apart apart,
                                   bf16* d_qkv) {
  const int half = head_dim / 2, joined = apart.joined(), of_row = joined / (2 * kPairs);
  const std::size_t index = std::size_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int row = static_cast<int>(index / of_row), pair = static_cast<int>(index % of_row) * kPairs;
  if (row >= rows) return;
  const int i = pair % half, column = pair / half * head_dim + i;
  const bf16* from = apart.at(row, column);
  Pairs x = {load<kPairs>(from), load<kPairs>(from + half)};
  if (column < turned) x = turn(x, table + std::size_t(row % length) * head_dim + i, half, -1.0f);
  bf16* to = d_qkv + std::size_t(row) * joined + column;
  store(to, x.first);
  store(to + half, x.second);
}

}  // namespace

void join_heads(cudaStream_t stream, const AttentionShape& shape, int rows, const HeadGradients& apart, bf16* d_qkv,
                float* d_bias, float* partial) {
  const Join join = {apart_of(shape, apart), d_qkv};
  sum_columns(stream, join, rows, join.apart.width + 2 * join.apart.kv_width, d_bias, partial);
}

void join_turned_heads(cudaStream_t stream, const AttentionShape& shape, int rows, const float* table,
                       const HeadGradients& apart, bf16* d_qkv) {
  const Apart from = apart_of(shape, apart);
  const std::size_t threads = std::size_t(rows) * (from.width + 2 * from.kv_width) / (2 * kPairs);
  launch(join_turned_kernel, ceil_div(threads, kThreads), kThreads, 0, stream, table, rows, shape.queries,
         from.width + from.kv_width, shape.head_dim, from, d_qkv);
}

}  // namespace btm::cuda
