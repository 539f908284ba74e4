# What is compiled for GPUs, but for what calls the driver and LibTorch; the tests compile the same files for the emulator.
set(BTM_MODEL_CUDA_SOURCES activation.cu columns.cu embedding.cu graph.cpp heads.cu loss.cu memory.cpp norm.cu rope.cu transformer.cpp)
list(TRANSFORM BTM_MODEL_CUDA_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/btm/model/cuda/)
set(BTM_TRAIN_CUDA_SOURCES adamw_cuda.cu cuda_learner.cpp cuda_text_loss.cpp cuda_text_scorer.cpp gradient_sum_cuda.cpp nccl.cpp
  score_cuda.cpp staged_cuda.cpp)
list(TRANSFORM BTM_TRAIN_CUDA_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/btm/train/)
