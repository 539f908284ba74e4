#include "btm/model/cuda/products.h"

#include "btm/core/shared_library.h"

namespace btm::cuda {

std::unique_ptr<Products> make_products() {
  static const SharedLibrary library({BTM_ATEN_LIBRARY, "libbtm_aten.so"},
                                     "no LibTorch for GPUs (" BTM_ATEN_LIBRARY
                                     ", which reads it, was built with btm: put it back, or its folder into "
                                     "LD_LIBRARY_PATH; device: cpu needs neither)");
  return std::unique_ptr<Products>(library.get<Products*()>("btm_make_products")());
}

}  // namespace btm::cuda
