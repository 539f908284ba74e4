#include "btm/train/nccl.h"

#include <dlfcn.h>

#include "btm/core/error.h"

namespace btm::cuda {
namespace {

constexpr const char* kLibrary = "libnccl.so.2";

// Of nccl.h, what is used; the numbers are NCCL's ABI.
struct UniqueId {
  char internal[128];
};
enum Result { kSuccess = 0 };
enum DataType { kFloat32 = 7, kFloat64 = 8 };
enum Operation { kSum = 0 };

class Library {
 public:
  Library() : handle_(::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) {
      throw input_error("one model on several GPUs needs NCCL (torch's builds for CUDA bring {}): {}", kLibrary,
                        ::dlerror());
    }
    find(get_unique_id, "ncclGetUniqueId");
    find(comm_init_rank, "ncclCommInitRank");
    find(comm_destroy, "ncclCommDestroy");
    find(all_reduce, "ncclAllReduce");
    find(get_error_string, "ncclGetErrorString");
  }

  Result (*get_unique_id)(UniqueId* id);
  Result (*comm_init_rank)(ncclComm** handle, int ranks, UniqueId id, int rank);
  Result (*comm_destroy)(ncclComm* handle);
  Result (*all_reduce)(const void* from, void* to, std::size_t count, DataType type, Operation operation,
                       ncclComm* handle, cudaStream_t stream);
  const char* (*get_error_string)(Result result);

 private:
  template <class F>
  void find(F*& function, const char* name) {
    function = reinterpret_cast<F*>(::dlsym(handle_, name));
    if (!function) throw input_error("{} has no {}: it is not NCCL 2", kLibrary, name);
  }

  void* handle_;
};

const Library& nccl() {
  static const Library library;
  return library;
}

void check(Result result) {
  if (result != kSuccess) throw failure("NCCL can't sum: {}", nccl().get_error_string(result));
}

}  // namespace

Communicator::Communicator(const Ranks& ranks) {
  UniqueId id{};
  Result result = ranks.is_first() ? nccl().get_unique_id(&id) : kSuccess;
  ranks.broadcast(std::span(id.internal));
  if (result == kSuccess) result = nccl().comm_init_rank(&handle_, ranks.size(), id, ranks.rank());
  if (result != kSuccess) {
    throw input_error("NCCL can't connect the GPUs: {} (each rank needs one of its own; NCCL_DEBUG=WARN says more)",
                      nccl().get_error_string(result));
  }
}

Communicator::~Communicator() {
  nccl().comm_destroy(handle_);
}

void Communicator::sum(float* values, std::size_t count, cudaStream_t stream) const {
  check(nccl().all_reduce(values, values, count, kFloat32, kSum, handle_, stream));
}

void Communicator::sum(double* values, std::size_t count, cudaStream_t stream) const {
  check(nccl().all_reduce(values, values, count, kFloat64, kSum, handle_, stream));
}

}  // namespace btm::cuda
