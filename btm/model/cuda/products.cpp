#include "btm/model/cuda/products.h"

#include <stdlib.h>

#include "btm/core/shared_library.h"
#include "btm/model/cuda/memory.h"

namespace btm::cuda {
namespace {

// Someone may have set them for PyTorch; a recorded graph needs memory that ATen keeps where it was.
void forget_settings_of_atens_memory() {
  for (const char* name :
       {"PYTORCH_NO_CUDA_MEMORY_CACHING", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF"}) {
    ::unsetenv(name);
  }
}

}  // namespace

std::unique_ptr<Products> make_products() {
  static const SharedLibrary library = [] {
    forget_settings_of_atens_memory();
    return SharedLibrary(
        {BTM_ATEN_LIBRARY, "libbtm_aten.so"},
        "no LibTorch for GPUs (" BTM_ATEN_LIBRARY
        ", which reads it, was built with btm: put it back, or its folder into LD_LIBRARY_PATH; device: cpu needs "
        "neither)");
  }();
  int device = 0;
  check_cuda(cudaGetDevice(&device), "to be asked which it is");
  return std::unique_ptr<Products>(library.get<Products*(int)>("btm_make_products")(device));
}

}  // namespace btm::cuda
