#include <malloc.h>
#include <ucontext.h>

#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "cuda_runtime.h"

struct EmulatedGraph {
  std::vector<std::function<void()>> work;
  std::vector<cudaStream_t> others;  // streams that are captured with the one that began
};

namespace btm::cuda {
constexpr std::size_t kSharedFloats = 12 * 1024;  // 48 KiB, what a block gets without asking for more
thread_local float launch_shared_memory[kSharedFloats];
}  // namespace btm::cuda

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulator {

namespace {

constexpr std::size_t kStack = 64 * 1024;
constexpr unsigned kWarp = 32;

enum class Waits { nothing, for_warp, for_block, done };

// A context of its own is made once: after that fibers and scheduler change by _longjmp, which asks nothing of the
// system.
struct Fiber {
  ucontext_t context;
  std::jmp_buf place;
  std::vector<char> stack = std::vector<char>(kStack);
  Waits waits = Waits::done;
  bool entered = false;
  float shuffled[2] = {};  // taken in turn, so that nobody writes where others still read
  int turn = 0;
};

std::jmp_buf scheduler;
std::vector<std::unique_ptr<Fiber>> fibers;  // of a block
std::size_t running = 0;
const std::function<void()>* body = nullptr;

// Back to the scheduler, until it comes again.
void wait(Waits what) {
  Fiber& self = *fibers[running];
  self.waits = what;
  if (_setjmp(self.place) == 0) std::longjmp(scheduler, 1);
}

// What a fiber does: a thread of each block.
void serve() {
  while (true) {
    (*body)();
    wait(Waits::done);
  }
}

// Until it waits.
void go_on(Fiber& fiber) {
  if (_setjmp(scheduler) != 0) return;
  if (fiber.entered) std::longjmp(fiber.place, 1);
  fiber.entered = true;
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.data();
  fiber.context.uc_stack.ss_size = fiber.stack.size();
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, serve, 0);
  setcontext(&fiber.context);
}

// Whether all of [begin, end) that are not done wait for `what`, and one does.
bool all_wait(std::size_t begin, std::size_t end, Waits what) {
  bool any = false;
  for (std::size_t i = begin; i < end; ++i) {
    if (fibers[i]->waits != what && fibers[i]->waits != Waits::done) return false;
    any = any || fibers[i]->waits == what;
  }
  return any;
}

bool release(std::size_t begin, std::size_t end, Waits what) {
  if (!all_wait(begin, end, what)) return false;
  for (std::size_t i = begin; i < end; ++i) {
    if (fibers[i]->waits == what) fibers[i]->waits = Waits::nothing;
  }
  return true;
}

void run_block(std::size_t threads) {
  while (fibers.size() < threads) fibers.push_back(std::make_unique<Fiber>());
  for (std::size_t i = 0; i < threads; ++i) {
    fibers[i]->waits = Waits::nothing;
    fibers[i]->turn = 0;
  }
  while (true) {
    for (running = 0; running < threads; ++running) {
      if (fibers[running]->waits != Waits::nothing) continue;
      threadIdx = dim3(static_cast<unsigned>(running));
      go_on(*fibers[running]);
    }
    bool moved = release(0, threads, Waits::for_block);
    for (std::size_t i = 0; i < threads; i += kWarp) {
      moved = release(i, std::min<std::size_t>(i + kWarp, threads), Waits::for_warp) || moved;
    }
    if (moved) continue;
    if (all_wait(0, threads, Waits::done)) return;
    throw std::logic_error(
        "a kernel's threads wait for each other: not all of a warp shuffle, or not all of a block meet");
  }
}

}  // namespace

void submit(cudaStream_t stream, std::function<void()> work) {
  if (stream && stream->captured) {
    stream->captured->work.push_back(std::move(work));
    stream->joined = false;
  } else {
    work();
  }
}

void run(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& thread) {
  if (shared_bytes > btm::cuda::kSharedFloats * sizeof(float))
    throw std::logic_error("more shared memory than a block gets");
  if (block.x > 1024 || block.y != 1 || block.z != 1) throw std::logic_error("no such block");
  blockDim = block;
  gridDim = grid;
  body = &thread;
  for (unsigned y = 0; y < grid.y; ++y) {
    for (unsigned x = 0; x < grid.x; ++x) {
      blockIdx = dim3(x, y);
      std::memset(btm::cuda::launch_shared_memory, 0xff, sizeof btm::cuda::launch_shared_memory);
      run_block(block.x);
    }
  }
}

void block_barrier() {
  const dim3 own = threadIdx;
  wait(Waits::for_block);
  threadIdx = own;
}

float shuffle_xor(float value, int lanes) {
  const dim3 own = threadIdx;
  const std::size_t self = running;
  const int turn = fibers[self]->turn ^= 1;
  fibers[self]->shuffled[turn] = value;
  wait(Waits::for_warp);
  threadIdx = own;
  return fibers[self ^ static_cast<std::size_t>(lanes)]->shuffled[turn];
}

}  // namespace emulator

namespace {

std::size_t allocated = 0;  // of the GPU's memory, bytes

// Tests that need several calls ask for less.
std::size_t memory() {
  const char* set = std::getenv("EMULATED_GPU_MEMORY");
  return set ? std::strtoull(set, nullptr, 10) : 100'000'000;
}

}  // namespace

const char* cudaGetErrorString(cudaError_t error) {
  if (error == cudaErrorStreamCaptureUnjoined) return "a captured stream was not joined to the one that began";
  return error == cudaErrorMemoryAllocation ? "out of memory" : "no error";
}
cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  if (memory() < allocated + bytes || cudaMallocHost(p, bytes) != cudaSuccess) return cudaErrorMemoryAllocation;
  allocated += ::malloc_usable_size(*p);
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  if (p) allocated -= ::malloc_usable_size(p);
  return cudaFreeHost(p);
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *total = memory();
  *free = *total - std::min(*total, allocated);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** p, std::size_t bytes) {
  constexpr std::size_t kAlignment = 256;
  *p = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (!*p) return cudaErrorMemoryAllocation;
  std::memset(*p, 0xff, bytes);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* p) {
  std::free(p);
  return cudaSuccess;
}
cudaError_t cudaMemset(void* p, int value, std::size_t bytes) {
  std::memset(p, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* p, int value, std::size_t bytes, cudaStream_t stream) {
  emulator::submit(stream, [=] { std::memset(p, value, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  emulator::submit(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) {
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new EmulatedStream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (!event->captured || event->stream == stream) return cudaSuccess;
  if (stream->captured) {
    event->stream->joined = true;
  } else {
    stream->captured = event->captured;
    stream->joined = false;
    event->captured->others.push_back(stream);
  }
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new EmulatedEvent;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  *event = {stream, stream->captured};
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->captured = new EmulatedGraph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = std::exchange(stream->captured, nullptr);
  bool joined = true;
  for (cudaStream_t other : (*graph)->others) {
    joined = joined && other->joined;
    other->captured = nullptr;
  }
  return joined ? cudaSuccess : cudaErrorStreamCaptureUnjoined;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new EmulatedGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  for (const auto& work : executable->work) work();
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
