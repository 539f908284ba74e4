// As much of CUDA as our kernels and their callers use, run by the CPU: a kernel's threads are fibers that change at
// each barrier and shuffle. It stands before CUDA's own headers on the include path of the tests, so that the .cu files
// are tested, as they are, where there is no GPU and no CUDA.
//
// Streams are as late as CUDA's may be: they run what they are given when somebody waits for it, so that a test fails
// where the host reads too early, or writes again what a copy has yet to read. The default stream runs its work at
// once. One that is being captured keeps it for the graph. A stream that waits for an event of a captured one is
// captured with it, until that waits for it in turn.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __shared__ thread_local

using std::isfinite;
using std::min;

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3() = default;
  dim3(unsigned a, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}  // as CUDA's: from a number, too
};

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureUnjoined = 904
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
enum : unsigned { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
struct EmulatedGraph;
using cudaGraph_t = EmulatedGraph*;
using cudaGraphExec_t = EmulatedGraph*;
struct EmulatedStream {
  EmulatedStream();
  ~EmulatedStream();  // runs what is left
  EmulatedStream(const EmulatedStream&) = delete;
  EmulatedStream& operator=(const EmulatedStream&) = delete;

  void run_until(std::uint64_t place);  // of its works, as many

  cudaGraph_t captured = nullptr;  // what is being captured, if anything
  bool joined = true;              // for one captured with another: that waits for all its work
  std::deque<std::function<void()>> waiting;
  std::uint64_t given = 0, begun = 0;  // works, of which the rest waits
};
using cudaStream_t = EmulatedStream*;
struct EmulatedEvent {
  cudaStream_t stream = nullptr;
  cudaGraph_t captured = nullptr;
  std::uint64_t place = 0;  // works of the stream that are before it
};
using cudaEvent_t = EmulatedEvent*;

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

const char* cudaGetErrorString(cudaError_t error);
inline cudaError_t cudaGetLastError() {
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** p, std::size_t bytes);  // filled with a pattern that isn't zero
cudaError_t cudaFree(void* p);
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);
cudaError_t cudaMallocHost(void** p, std::size_t bytes);
cudaError_t cudaFreeHost(void* p);
cudaError_t cudaMemset(void* p, int value, std::size_t bytes);
cudaError_t cudaMemsetAsync(void* p, int value, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

namespace emulator {

// Leaves the work to the stream, or to the graph that it captures.
void submit(cudaStream_t stream, std::function<void()> work);
// Whether a GPU would take such a kernel.
bool can_run(dim3 grid, dim3 block, std::size_t shared_bytes);
// Calls `thread` for all threads of all blocks.
void run(dim3 grid, dim3 block, const std::function<void()>& thread);
void block_barrier();
// Of the thread whose lane in the warp is this one's with the bits of `lanes` turned over.
float shuffle_xor(float value, int lanes);

}  // namespace emulator

extern dim3 threadIdx, blockIdx, blockDim, gridDim;  // of the thread that runs

inline void __syncthreads() {
  emulator::block_barrier();
}
inline float __shfl_xor_sync(unsigned, float value, int lanes) {
  return emulator::shuffle_xor(value, lanes);
}
inline float rsqrtf(float x) {
  return 1 / std::sqrt(x);
}
inline float __expf(float x) {
  return std::exp(x);
}
inline float __fdividef(float a, float b) {
  return a / b;
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
  if (!emulator::can_run(config->gridDim, config->blockDim, config->dynamicSmemBytes)) {
    return cudaErrorInvalidConfiguration;
  }
  emulator::submit(config->stream, [config = *config, kernel, arguments...] {
    emulator::run(config.gridDim, config.blockDim, [&] { kernel(arguments...); });
  });
  return cudaSuccess;
}
