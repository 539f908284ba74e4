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
