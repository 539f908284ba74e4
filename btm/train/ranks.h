// The processes that train one model together, over MPI.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace btm {

// Every rank makes the same calls in the same order, from one thread at a time. With one rank they do nothing.
class Ranks {
 public:
  Ranks() = default;  // this process alone
  // One of those that mpirun or srun started. Once in a process. Throws Error(input): built without MPI.
  static Ranks join();
  ~Ranks();  // the last call of a rank that joined; waits for the others
  Ranks(Ranks&& other) noexcept;
  Ranks& operator=(Ranks&&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool is_first() const { return rank_ == 0; }
  int local_rank() const { return local_rank_; }  // among those on this machine

  // Until all are here, asleep: the others may be at work on the cores of this one.
  void wait() const;
  void sum(std::span<float> values) const;  // of all ranks, in each of them
  double sum(double value) const;
  void broadcast(std::span<float> values) const;  // from the first to the others
  double broadcast(double value) const;
  void broadcast(std::span<char> bytes) const;

  // Ends all ranks with this exit code: for one that fails alone, while the others wait for it.
  [[noreturn]] void abort(int code) const;

 private:
  Ranks(int rank, int size, int local_rank) : rank_(rank), size_(size), local_rank_(local_rank), joined_(true) {}

  int rank_ = 0, size_ = 1, local_rank_ = 0;
  bool joined_ = false;
};

std::string mpi_library();  // name and version; "": the program was built without

}  // namespace btm
