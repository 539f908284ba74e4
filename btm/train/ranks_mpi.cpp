#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

#include "btm/core/error.h"
#include "btm/train/ranks.h"

namespace btm {
namespace {

constexpr auto kLook = std::chrono::microseconds(100);
constexpr std::size_t kMostAtOnce = std::size_t{1} << 28;  // floats; MPI counts in int

template <class F>
void in_pieces(std::span<float> values, F&& f) {
  for (std::size_t at = 0; at < values.size(); at += kMostAtOnce) {
    const std::size_t size = std::min(kMostAtOnce, values.size() - at);
    f(values.data() + at, static_cast<int>(size));
  }
}

}  // namespace

Ranks Ranks::join() {
  int given = 0, rank = 0, size = 1;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &given);
  if (given < MPI_THREAD_SERIALIZED) throw input_error("this MPI can't be called from more than one thread");
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm here;
  int local_rank = 0;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &here);
  MPI_Comm_rank(here, &local_rank);
  MPI_Comm_free(&here);
  return {rank, size, local_rank};
}

Ranks::~Ranks() {
  if (joined_) MPI_Finalize();
}

Ranks::Ranks(Ranks&& other) noexcept
    : rank_(other.rank_),
      size_(other.size_),
      local_rank_(other.local_rank_),
      joined_(std::exchange(other.joined_, false)) {}

void Ranks::wait() const {
  if (size_ == 1) return;
  MPI_Request all_here;
  MPI_Ibarrier(MPI_COMM_WORLD, &all_here);
  for (int done = 0;;) {
    MPI_Test(&all_here, &done, MPI_STATUS_IGNORE);
    if (done) return;
    std::this_thread::sleep_for(kLook);
  }
}

void Ranks::sum(std::span<float> values) const {
  if (size_ == 1) return;
  wait();
  in_pieces(values,
            [](float* at, int size) { MPI_Allreduce(MPI_IN_PLACE, at, size, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD); });
}

double Ranks::sum(double value) const {
  if (size_ == 1) return value;
  wait();
  MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  return value;
}

void Ranks::broadcast(std::span<float> values) const {
  if (size_ == 1) return;
  wait();
  in_pieces(values, [](float* at, int size) { MPI_Bcast(at, size, MPI_FLOAT, 0, MPI_COMM_WORLD); });
}

double Ranks::broadcast(double value) const {
  if (size_ == 1) return value;
  wait();
  MPI_Bcast(&value, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
  return value;
}

void Ranks::broadcast(std::span<char> bytes) const {
  if (size_ == 1) return;
  wait();
  MPI_Bcast(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, 0, MPI_COMM_WORLD);
}

void Ranks::abort(int code) const {
  if (joined_ && size_ > 1) MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

std::string mpi_library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int size = 0;
  MPI_Get_library_version(text, &size);
  const std::string version(text, static_cast<std::size_t>(size));
  return version.substr(0, version.find_first_of(",\n"));
}

}  // namespace btm
