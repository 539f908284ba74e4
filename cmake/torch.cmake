# For GPUs: LibTorch out of the torch wheel, its folder and the target btm::torch.
# find_package(Torch) fails with CUDA wheels where there is no nvcc, so the few files needed are named here.
# -DTORCH_DIR=.../site-packages/torch, or the torch that ${BTM_PYTHON} imports.
set(TORCH_DIR "" CACHE PATH "Folder of the torch Python package (holds include/ and lib/)")
if(NOT TORCH_DIR)
  execute_process(
    COMMAND ${BTM_PYTHON} -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
    OUTPUT_VARIABLE torch_found OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE torch_result ERROR_QUIET)
  if(NOT torch_result EQUAL 0)
    message(FATAL_ERROR "No torch: ${BTM_PYTHON} can't import it. Run `make cuda`, or give -DTORCH_DIR=.../site-packages/torch")
  endif()
  set(TORCH_DIR ${torch_found} CACHE PATH "" FORCE)
endif()
if(NOT EXISTS ${TORCH_DIR}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "No LibTorch in ${TORCH_DIR}/lib: TORCH_DIR must be the folder of the torch Python package")
endif()
message(STATUS "LibTorch: ${TORCH_DIR}")

file(GLOB torch_gomp ${TORCH_DIR}/lib/libgomp*.so.1)  # the OpenMP runtime that libtorch_cpu uses; never link a second one
add_library(btm_torch INTERFACE)
add_library(btm::torch ALIAS btm_torch)
target_link_libraries(btm_torch INTERFACE ${TORCH_DIR}/lib/libtorch_cpu.so ${TORCH_DIR}/lib/libc10.so ${torch_gomp})
if(EXISTS ${TORCH_DIR}/lib/libtorch_cuda.so)
  target_link_libraries(btm_torch INTERFACE
    -Wl,--no-as-needed ${TORCH_DIR}/lib/libtorch_cuda.so ${TORCH_DIR}/lib/libc10_cuda.so -Wl,--as-needed)
endif()
target_link_options(btm_torch INTERFACE -Wl,-rpath,${TORCH_DIR}/lib)
