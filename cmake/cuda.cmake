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

# cuDNN of the torch that is linked, and its C++ interface, headers alone (tools/setup.sh cuda). Attention does without them.
get_filename_component(torch_packages ${TORCH_DIR} DIRECTORY)
find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${torch_packages}/nvidia/cudnn/include)
find_library(CUDNN_LIBRARY NAMES libcudnn.so.9 HINTS ${torch_packages}/nvidia/cudnn/lib)
find_path(CUDNN_FRONTEND_INCLUDE_DIR cudnn_frontend.h HINTS ${torch_packages}/include ${CMAKE_SOURCE_DIR}/.setup/cudnn_frontend/include)
if(CUDNN_INCLUDE_DIR AND CUDNN_LIBRARY AND CUDNN_FRONTEND_INCLUDE_DIR)
  add_library(btm_cudnn INTERFACE)
  add_library(btm::cudnn ALIAS btm_cudnn)
  target_include_directories(btm_cudnn SYSTEM INTERFACE ${CUDNN_INCLUDE_DIR} ${CUDNN_FRONTEND_INCLUDE_DIR})
  target_link_libraries(btm_cudnn INTERFACE ${CUDNN_LIBRARY})
  message(STATUS "cuDNN: ${CUDNN_LIBRARY}")
else()
  message(STATUS "cuDNN: none (headers and library beside torch, and cudnn_frontend.h); attention will be slower")
endif()
