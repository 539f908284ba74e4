#include <malloc.h>
#include <ucontext.h>

#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
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
  if (!stream) return work();
  if (stream->captured) {
    stream->captured->work.push_back(std::move(work));
    stream->joined = false;
    return;
  }
  stream->waiting.push_back(std::move(work));
  ++stream->given;
}

bool can_run(dim3 grid, dim3 block, std::size_t shared_bytes) {
  constexpr unsigned kMostX = 0x7fffffff, kMostY = 0xffff, kMostThreads = 1024;
  return grid.x > 0 && grid.x <= kMostX && grid.y > 0 && grid.y <= kMostY && grid.z == 1 && block.x > 0 &&
         block.x <= kMostThreads && block.y == 1 && block.z == 1 &&
         shared_bytes <= btm::cuda::kSharedFloats * sizeof(float);
}

void run(dim3 grid, dim3 block, const std::function<void()>& thread) {
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

std::set<cudaStream_t>& streams() {
  static std::set<cudaStream_t> all;
  return all;
}
void run_all_streams() {
  for (cudaStream_t stream : streams()) stream->run_until(stream->given);
}

// Bytes at each address, of the host's memory that copies needn't wait for, and of the GPU's.
std::map<const char*, std::size_t>& pinned() {
  static std::map<const char*, std::size_t> all;
  return all;
}
bool is_pinned(const void* p) {
  const auto* at = static_cast<const char*>(p);
  const auto next = pinned().upper_bound(at);
  return next != pinned().begin() && at < std::prev(next)->first + std::prev(next)->second;
}

// Tests that need several calls ask for less.
std::size_t memory() {
  const char* set = std::getenv("EMULATED_GPU_MEMORY");
  return set ? std::strtoull(set, nullptr, 10) : 100'000'000;
}

}  // namespace

EmulatedStream::EmulatedStream() {
  streams().insert(this);
}
EmulatedStream::~EmulatedStream() {
  run_until(given);
  streams().erase(this);
}
void EmulatedStream::run_until(std::uint64_t place) {
  while (begun < place) {
    const std::function<void()> work = std::move(waiting.front());
    waiting.pop_front();
    ++begun;
    work();
  }
}

const char* cudaGetErrorString(cudaError_t error) {
  if (error == cudaErrorStreamCaptureUnjoined) return "a captured stream was not joined to the one that began";
  if (error == cudaErrorStreamCaptureUnsupported) return "not while a stream is captured";
  if (error == cudaErrorInvalidConfiguration) return "no such grid, block or shared memory";
  return error == cudaErrorMemoryAllocation ? "out of memory" : "no error";
}
cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  if (memory() < allocated + bytes || cudaMallocHost(p, bytes) != cudaSuccess) return cudaErrorMemoryAllocation;
  allocated += ::malloc_usable_size(*p);
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  run_all_streams();
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
  pinned()[static_cast<const char*>(*p)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* p) {
  run_all_streams();
  pinned().erase(static_cast<const char*>(p));
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
// From memory that isn't pinned it is given what lies there now.
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  if (is_pinned(from)) {
    emulator::submit(stream, [=] { std::memcpy(to, from, bytes); });
  } else {
    const auto* at = static_cast<const char*>(from);
    emulator::submit(stream, [to, copy = std::vector<char>(at, at + bytes)] {
      if (!copy.empty()) std::memcpy(to, copy.data(), copy.size());
    });
  }
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
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (!stream) return cudaSuccess;
  if (stream->captured) return cudaErrorStreamCaptureUnsupported;
  stream->run_until(stream->given);
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (event->stream == stream) return cudaSuccess;
  if (!event->captured) {
    emulator::submit(stream, [awaited = event->stream, place = event->place] { awaited->run_until(place); });
  } else if (stream->captured) {
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
  *event = {stream, stream->captured, stream->given};
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->captured) return cudaErrorStreamCaptureUnsupported;
  if (event->stream) event->stream->run_until(event->place);
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
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  for (const auto& work : executable->work) emulator::submit(stream, work);
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
