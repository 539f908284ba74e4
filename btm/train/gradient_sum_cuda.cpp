#include "btm/train/gradient_sum_cuda.h"

#include "btm/model/cuda/memory.h"

namespace btm::cuda {
namespace {

cudaEvent_t make_event() {
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "an event");
  return event;
}

cudaStream_t make_stream() {
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
  return stream;
}

}  // namespace

GradientSum::GradientSum(const Ranks& ranks, std::vector<GradientRange> ranges, float* gradients, double* loss)
    : communicator_(ranks),
      ranges_(std::move(ranges)),
      gradients_(gradients),
      loss_(loss),
      stream_(make_stream()),
      computed_(make_event()),
      summed_(make_event()) {}

// `stream` goes on when `other` has done what it was given so far.
void GradientSum::wait(cudaStream_t stream, cudaEvent_t event, cudaStream_t other) {
  check_cuda(cudaEventRecord(event, other), "an event");
  check_cuda(cudaStreamWaitEvent(stream, event, 0), "to wait for an event");
}

void GradientSum::sum_next() {
  const GradientRange& range = ranges_[next_++];
  communicator_.sum(gradients_ + range.begin, range.size, stream_.get());
}

void GradientSum::block_done(int block, cudaStream_t stream) {
  if (next_ != range_of(block, ranges_)) throw failure("the gradients of block {} came out of turn", block);
  wait(stream_.get(), computed_.get(), stream);
  sum_next();
}

void GradientSum::finish(cudaStream_t stream) {
  wait(stream_.get(), computed_.get(), stream);
  while (next_ < ranges_.size()) sum_next();
  next_ = 0;
  communicator_.sum(loss_, 1, stream_.get());
  wait(stream, summed_.get(), stream_.get());
}

}  // namespace btm::cuda
