/// The cuda backend without its operations: device, memory, copies, graph capture.

#include "core/error.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/machine.h"
#include "kernels/cuda/staging.h"
#include "kernels/cuda/trace.h"

#include <string>

namespace minception {

using cuda::check;

namespace {

/// A CUDA graph. It is replayed on the stream that it was captured from.
class CudaGraph final : public CapturedGraph {
 public:
  CudaGraph(cudaGraph_t graph, cudaStream_t stream) : stream_(stream) {
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph);
    cudaGraphDestroy(graph);
    check(status, "making a graph executable");
  }
  ~CudaGraph() override { cudaGraphExecDestroy(executable_); }
  void replay() override { check(cudaGraphLaunch(executable_, stream_), "launching a graph"); }
  double replay_timed(int times) override {
    cuda::Timespan span(stream_);
    for (int i = 0; i < times; ++i) replay();
    return span.end();
  }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace

bool cuda_is_emulated() {
#if defined(__CUDACC__)
  return false;
#else
  return true;
#endif
}

std::string why_no_cuda() { return cuda::misfit(cuda::ask_machine(0)); }

CudaBackend::CudaBackend(const CudaOptions& options) : options_(options) {
  const std::string problem = cuda::misfit(cuda::ask_machine(options.device));
  require(problem.empty(), problem, "; or use cpu");
  check(cudaSetDevice(options.device), concat("selecting device ", options.device));
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream");
  staging_ = std::make_unique<cuda::Staging>();
}

CudaBackend::~CudaBackend() {
  cudaStreamSynchronize(stream_);  // staged copies may be in flight
  cudaStreamDestroy(stream_);
}

std::string CudaBackend::description() const {
  const cuda::Machine machine = cuda::ask_machine(options_.device);
#if defined(__CUDACC__)
  return concat(machine.gpu, " (compute capability ", machine.major, ".", machine.minor, ", driver ",
                cuda::version_text(machine.driver), ", runtime ", cuda::version_text(machine.runtime), ")");
#else
  return concat("CUDA kernels ", machine.gpu, simt::checker_built() ? ", every memory access checked" : "");
#endif
}

Device CudaBackend::device() const { return {DeviceKind::cuda, static_cast<std::int8_t>(options_.device)}; }

Buffer CudaBackend::allocate(std::size_t bytes) {
  if (bytes == 0)
    return Buffer(
        nullptr, 0, device(), +[](void*) {});
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    fail("not enough GPU memory: ", bytes, " bytes needed, ", available_memory(), " free; use a smaller batch");
  }
  check(status, "allocating memory");
  Buffer buffer(
      data, bytes, device(), +[](void* memory) { cudaFree(memory); });
  fill_zero(data, bytes);
  synchronize();
  return buffer;
}

std::size_t CudaBackend::available_memory() const {
  std::size_t free_bytes = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free_bytes, &total), "reading the free memory");
  return free_bytes;
}

void CudaBackend::copy_to_device(void* device, const void* host, std::size_t bytes) {
  check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_), "copying to the GPU");
  synchronize();  // the caller may overwrite the source on return
}

void CudaBackend::copy_to_host(void* host, const void* device, std::size_t bytes) {
  check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_), "copying from the GPU");
  synchronize();
}

void CudaBackend::fill_zero(void* device, std::size_t bytes) {
  check(cudaMemsetAsync(device, 0, bytes, stream_), "filling memory");
}

void CudaBackend::upload(void* device, const void* host, std::size_t bytes) {
  staging_->copy(device, host, bytes, stream_);
}

void CudaBackend::reserve_upload(std::size_t bytes) { staging_->reserve(bytes); }

std::unique_ptr<CapturedGraph> CudaBackend::capture(const std::function<void()>& work) {
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "starting to capture a graph");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    if (cudaStreamEndCapture(stream_, &graph) == cudaSuccess) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(stream_, &graph), "capturing a graph");
  return std::make_unique<CudaGraph>(graph, stream_);
}

void CudaBackend::synchronize() { check(cudaStreamSynchronize(stream_), "waiting for the GPU"); }

Requirements CudaBackend::requirements(const Operation& operation) {
  return std::visit([this](const auto& op) { return needs(op); }, operation);
}

void CudaBackend::custom(const Custom& op, Workspace workspace) {
  Custom::each_operand(op, [](std::string_view, const Tensor& tensor, Access) {
    require(tensor.dtype != DType::f64,
            "the cuda backend computes in f32 and bf16, not in f64; use the reference backend for f64");
  });
  op.require_workspace(workspace);
  op.operation->run_cuda(op, {.workspace = workspace, .stream = stream_});
}

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  return std::make_unique<CudaBackend>(options);
}

}  // namespace minception
