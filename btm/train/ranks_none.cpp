#include <cstdlib>

#include "btm/core/error.h"
#include "btm/train/ranks.h"

// For a build without MPI: there is one rank, and nobody to talk to.
namespace btm {

Ranks Ranks::join() {
  throw input_error("this btm was built without MPI; install one (Debian: libopenmpi-dev) and build it again");
}

Ranks::~Ranks() = default;
Ranks::Ranks(Ranks&&) noexcept = default;
void Ranks::wait() const {}
void Ranks::sum(std::span<float>) const {}
double Ranks::sum(double value) const {
  return value;
}
void Ranks::broadcast(std::span<float>) const {}
double Ranks::broadcast(double value) const {
  return value;
}
void Ranks::broadcast(std::span<char>) const {}
void Ranks::abort(int code) const {
  std::_Exit(code);
}
std::string mpi_library() {
  return "";
}

}  // namespace btm
