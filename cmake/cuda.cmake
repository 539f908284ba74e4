# CUDA's compiler and run-time library, for the kernels of btm/model/cuda.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80 90)  # A100; H100, H200: machine code, and PTX for what comes after them
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25.1 doesn't know that nvcc does C++20
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
endif()
set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -DNDEBUG -ftz=true")  # exponentials without a way of their own for denormals
find_package(CUDAToolkit REQUIRED)

# What comes with the torch that is linked: cuBLASLt, and cuDNN, whose C++ interface is headers alone (tools/setup.sh cuda).
# Both are for speed: without them, as beside a torch for CPUs, ATen's own products and attention do.
get_filename_component(torch_packages ${TORCH_DIR} DIRECTORY)
set(nvidia ${torch_packages}/nvidia)
file(GLOB CUBLASLT_LIBRARY ${nvidia}/cu[0-9]*/lib/libcublasLt.so.* ${nvidia}/cublas/lib/libcublasLt.so.*)
find_path(CUBLASLT_INCLUDE_DIR cublasLt.h PATHS ${nvidia}/cu13/include ${nvidia}/cublas/include NO_DEFAULT_PATH NO_CACHE)
file(GLOB CUDNN_LIBRARY ${nvidia}/cudnn/lib/libcudnn.so.*)
find_path(CUDNN_INCLUDE_DIR cudnn.h PATHS ${nvidia}/cudnn/include NO_DEFAULT_PATH NO_CACHE)
find_path(CUDNN_FRONTEND_INCLUDE_DIR cudnn_frontend.h PATHS ${CMAKE_SOURCE_DIR}/.setup/cudnn_frontend/include NO_CACHE)

function(btm_nvidia_library name library)  # and the folders of its headers
  add_library(btm_${name} INTERFACE)
  add_library(btm::${name} ALIAS btm_${name})
  target_include_directories(btm_${name} SYSTEM INTERFACE ${ARGN})
  target_link_libraries(btm_${name} INTERFACE ${library})
  message(STATUS "${name}: ${library}")
endfunction()
if(CUBLASLT_LIBRARY AND CUBLASLT_INCLUDE_DIR)
  btm_nvidia_library(cublaslt ${CUBLASLT_LIBRARY} ${CUBLASLT_INCLUDE_DIR})
else()
  message(NOTICE "no cuBLASLt with headers beside ${TORCH_DIR}: products on GPUs will be a little slower")
endif()
if(CUDNN_LIBRARY AND CUDNN_INCLUDE_DIR AND CUDNN_FRONTEND_INCLUDE_DIR)
  btm_nvidia_library(cudnn ${CUDNN_LIBRARY} ${CUDNN_INCLUDE_DIR} ${CUDNN_FRONTEND_INCLUDE_DIR})
else()
  message(NOTICE "no cuDNN with headers beside ${TORCH_DIR}, or no cudnn_frontend.h: attention on GPUs will be slower")
endif()
