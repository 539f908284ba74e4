// For a torch that comes without cuBLASLt's headers: products are ATen's.
#include "btm/model/cuda/lt_products.h"

namespace btm::cuda {

class LtProducts::Algorithms {};

LtProducts::LtProducts(cudaStream_t, Scratch) {}
LtProducts::~LtProducts() = default;

bool LtProducts::product(int, int, int, LtMatrix, LtMatrix, const bf16*, bf16*, std::int64_t) {
  return false;
}
bool LtProducts::add_product(int, int, int, LtMatrix, LtMatrix, float*) {
  return false;
}

}  // namespace btm::cuda
