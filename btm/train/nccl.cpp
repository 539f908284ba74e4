#include "btm/train/nccl.h"

#include <exception>

#include "btm/core/error.h"
#include "btm/core/shared_library.h"

namespace btm::cuda {
namespace {

// Of nccl.h, what is used; the numbers are NCCL's ABI.
struct UniqueId {
  char internal[128];
};
enum Result { kSuccess = 0 };
enum DataType { kFloat32 = 7, kFloat64 = 8 };
enum Operation { kSum = 0 };

struct Nccl {
  explicit Nccl(const SharedLibrary& library)
      : get_unique_id(library.get<Result(UniqueId*)>("ncclGetUniqueId")),
        comm_init_rank(library.get<Result(ncclComm**, int, UniqueId, int)>("ncclCommInitRank")),
        comm_destroy(library.get<Result(ncclComm*)>("ncclCommDestroy")),
        comm_abort(library.get<Result(ncclComm*)>("ncclCommAbort")),
        all_reduce(library.get<AllReduce>("ncclAllReduce")),
        get_error_string(library.get<const char*(Result)>("ncclGetErrorString")) {}

  using AllReduce = Result(const void* from, void* to, std::size_t count, DataType type, Operation operation,
                           ncclComm* handle, cudaStream_t stream);
  Result (*get_unique_id)(UniqueId* id);
  Result (*comm_init_rank)(ncclComm** handle, int ranks, UniqueId id, int rank);
  Result (*comm_destroy)(ncclComm* handle);
  Result (*comm_abort)(ncclComm* handle);
  AllReduce* all_reduce;
  const char* (*get_error_string)(Result result);
};

const Nccl& nccl() {
  static const Nccl library(
      {{"libnccl.so.2"}, "one model on several GPUs needs NCCL, which torch's builds for CUDA bring"});
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
  // All ranks of a machine have to destroy it together; where this one has failed, the others would be waited for.
  (std::uncaught_exceptions() > 0 ? nccl().comm_abort : nccl().comm_destroy)(handle_);
}

void Communicator::sum(float* values, std::size_t count, cudaStream_t stream) const {
  check(nccl().all_reduce(values, values, count, kFloat32, kSum, handle_, stream));
}

void Communicator::sum(double* values, std::size_t count, cudaStream_t stream) const {
  check(nccl().all_reduce(values, values, count, kFloat64, kSum, handle_, stream));
}

}  // namespace btm::cuda
