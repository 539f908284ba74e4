#include "btm/model/cuda/graph.h"

#include "btm/model/cuda/memory.h"

namespace btm::cuda {

void Graph::run(cudaStream_t stream, const std::function<void()>& work) {
  if (!warm_) {
    warm_ = true;
    return work();
  }
  if (!recorded_) {
    // Relaxed, since ATen may still ask for memory. All of it is free again when the work is done, and this stream is
    // the only one, so that nobody else can hold it while the graph runs.
    check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "to record a graph");
    cudaGraph_t graph = nullptr;
    try {
      work();
    } catch (...) {
      cudaStreamEndCapture(stream, &graph);
      if (graph) cudaGraphDestroy(graph);
      throw;
    }
    check_cuda(cudaStreamEndCapture(stream, &graph), "to end the recording of a graph");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t answer = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    check_cuda(answer, "a graph");
    recorded_.reset(executable);
  }
  check_cuda(cudaGraphLaunch(recorded_.get(), stream), "to start a graph");
}

}  // namespace btm::cuda
