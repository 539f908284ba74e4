#include "btm/model/cuda/device.cuh"
#include "btm/model/cuda/embedding.h"

namespace btm::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kStep = 4;  // columns of a thread

__global__ void embedding_forward_kernel(int length, int width, const TokenId* tokens, const float* table,
                                         const float* position_table, float* out) {
  const int row = blockIdx.x;
  const float* from = table + std::size_t(tokens[row]) * width;
  for (int c = threadIdx.x * kStep; c < width; c += blockDim.x * kStep) {
    Pack<float, kStep> x = load<kStep>(from + c);
    if (position_table) {
      const Pack<float, kStep> p = load<kStep>(position_table + std::size_t(row % length) * width + c);
      for (int i = 0; i < kStep; ++i) x.v[i] += p.v[i];
    }
    store(out + std::size_t(row) * width + c, x);
  }
}

// A block for each token that may occur; those behind the last find an empty part of the order.
__global__ void token_gradients(int width, const TokenId* tokens, TokenOrder order, const float* d_out,
                                float* d_table) {
  const int begin = order.starts[blockIdx.x], end = order.starts[blockIdx.x + 1];
  const int c = (blockIdx.y * blockDim.x + threadIdx.x) * kStep;
  if (begin == end || c >= width) return;
  float* to = d_table + std::size_t(tokens[order.rows[begin]]) * width + c;
  Pack<float, kStep> sum = load<kStep>(to);
#pragma unroll 4
  for (int at = begin; at < end; ++at) {
    const Pack<float, kStep> d = load<kStep>(d_out + std::size_t(order.rows[at]) * width + c);
    for (int i = 0; i < kStep; ++i) sum.v[i] += d.v[i];
  }
  store(to, sum);
}

// A block for each position.
__global__ void position_gradients(int rows, int length, int width, const float* d_out, float* d_position_table) {
  const int c = (blockIdx.y * blockDim.x + threadIdx.x) * kStep;
  if (c >= width) return;
  float* to = d_position_table + std::size_t(blockIdx.x) * width + c;
  Pack<float, kStep> sum = load<kStep>(to);
#pragma unroll 4
  for (int row = blockIdx.x; row < rows; row += length) {
    const Pack<float, kStep> d = load<kStep>(d_out + std::size_t(row) * width + c);
    for (int i = 0; i < kStep; ++i) sum.v[i] += d.v[i];
  }
  store(to, sum);
}

}  // namespace

void sort_by_token(int rows, const TokenId* tokens, int* order, int* starts, int* scratch) {
  int found = 0;  // tokens; scratch: of a token, how many rows, then where its next one goes
  for (int row = 0; row < rows; ++row) {
    if (scratch[tokens[row]]++ == 0) starts[found++] = row;  // a row of the token, for now
  }
  int at = 0;
  for (int i = 0; i < found; ++i) {
    int& count = scratch[tokens[starts[i]]];
    starts[i] = at;
    at += count;
    count = starts[i];
  }
  for (int i = found; i <= rows; ++i) starts[i] = rows;
  for (int row = 0; row < rows; ++row) order[scratch[tokens[row]]++] = row;
  for (int row = 0; row < rows; ++row) scratch[tokens[row]] = 0;
}

void embedding_forward(cudaStream_t stream, int rows, int length, int width, const TokenId* tokens, const float* table,
                       const float* position_table, float* out) {
  launch(embedding_forward_kernel, rows, threads_for(width / kStep, kThreads), 0, stream, length, width, tokens, table,
         position_table, out);
}

void embedding_backward(cudaStream_t stream, int rows, int length, int width, const TokenId* tokens, TokenOrder order,
                        const float* d_out, float* d_table, float* d_position_table) {
  const unsigned threads = threads_for(width / kStep, kThreads), parts = ceil_div(width, threads * kStep);
  launch(token_gradients, dim3(rows, parts), threads, 0, stream, width, tokens, order, d_out, d_table);
  if (!d_position_table) return;
  launch(position_gradients, dim3(length, parts), threads, 0, stream, rows, length, width, d_out, d_position_table);
}

}  // namespace btm::cuda
