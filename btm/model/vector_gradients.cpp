#include "btm/model/vector_gradients.h"

#include <array>
#include <type_traits>
#include <utility>

namespace btm {
namespace {

template <class Number>  // const or not
struct Vector {
  Number* offset;
  int size;
};

// Of a block, of the last and of the final norm; those that a model lacks are kAbsent, as in `at`.
template <class Offsets>
auto vectors_of(Offsets& at, int block) {
  using Number = std::conditional_t<std::is_const_v<Offsets>, const std::int64_t, std::int64_t>;
  auto& b = at.blocks[static_cast<std::size_t>(block)];
  const int width = b.project.out;
  const bool last = block + 1 == static_cast<int>(at.blocks.size());
  return std::array<Vector<Number>, 10>{{{&b.attention_norm.gain, width},
                                         {&b.attention_norm.shift, width},
                                         {&b.qkv.bias, b.qkv.out},
                                         {&b.project.bias, width},
                                         {&b.mlp_norm.gain, width},
                                         {&b.mlp_norm.shift, width},
                                         {&b.up.bias, b.up.out},
                                         {&b.down.bias, width},
                                         {&at.final_norm.gain, last ? width : 0},
                                         {&at.final_norm.shift, last ? width : 0}}};
}

// Lays all vectors side by side; returns their sum.
std::size_t lay_out(WeightOffsets& at) {
  std::int64_t end = 0;
  for (int block = 0; block < static_cast<int>(at.blocks.size()); ++block) {
    for (const auto& vector : vectors_of(at, block)) {
      if (*vector.offset == kAbsent || vector.size == 0) continue;
      *vector.offset = end;
      end += vector.size;
    }
  }
  constexpr std::size_t kUnshared = 2 * Buffer::kAlignment / sizeof(float);  // of no two members in one line
  return (static_cast<std::size_t>(end) / kUnshared + 1) * kUnshared;
}

}  // namespace

VectorGradients::VectorGradients(const WeightOffsets& offsets, int members)
    : offsets_(offsets), stride_(lay_out(offsets_)), sums_(static_cast<std::size_t>(members) * stride_) {}

std::size_t VectorGradients::floats(const WeightOffsets& offsets, int members) {
  WeightOffsets unplaced = offsets;
  return static_cast<std::size_t>(members) * lay_out(unplaced);
}

void VectorGradients::add(int block, const WeightOffsets& to, float* gradients, const Share& share) {
  const auto from = vectors_of(std::as_const(offsets_), block), there = vectors_of(to, block);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (*from[i].offset == kAbsent) continue;
    for (int member = 0; member < share.members; ++member) {
      float *const sums = of(member) + *from[i].offset, *const sum = gradients + *there[i].offset;
      for (int n = share.begin(from[i].size); n < share.end(from[i].size); ++n) {
        sum[n] += sums[n];
        sums[n] = 0;
      }
    }
  }
}

}  // namespace btm
