#include "btm/train/gradient_sum_cuda.h"

#include "btm/model/cuda/memory.h"

namespace btm::cuda {
namespace {

cudaStream_t make_stream() {
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
  return stream;
}

}  // namespace

GradientSum::GradientSum(const Ranks& ranks, std::vector<GradientRange> ranges, float* gradients, double* loss)
    : communicator_(ranks), ranges_(std::move(ranges)), gradients_(gradients), loss_(loss), stream_(make_stream()) {}

void GradientSum::sum_next() {
  const GradientRange& range = ranges_[next_++];
  communicator_.sum(gradients_ + range.begin, range.size, stream_.get());
}

void GradientSum::block_done(int block, cudaStream_t stream) {
  if (next_ != range_of(block, ranges_)) throw failure("the gradients of block {} came out of turn", block);
  computed_.record(stream);
  computed_.hold_up(stream_.get());
  sum_next();
}

void GradientSum::finish(cudaStream_t stream) {
  computed_.record(stream);
  computed_.hold_up(stream_.get());
  while (next_ < ranges_.size()) sum_next();
  next_ = 0;
  communicator_.sum(loss_, 1, stream_.get());
  summed_.record(stream_.get());
  summed_.hold_up(stream);
}

}  // namespace btm::cuda
