/// The parts of the cuda backend that are not an operation.

#include <minception/core/error.h>
#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/launch.h>
#include <minception/kernels/cuda/machine.h>
#include <minception/kernels/cuda/staging.h>
#include <minception/kernels/cuda/trace.h>

#include <string>

namespace minception {

namespace cuda {

void check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error that has been reported is not met again by the next call
  fail("CUDA: ", what, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

/// Compilers write it as "... [with auto kernel = minception::cuda::relu_forward<float, 4>; ...]", some with "& " or "(& ...)".
std::string short_kernel_name(std::string_view pretty_function) {
  std::string_view text = pretty_function;
  constexpr std::string_view kBegin = "kernel = ";
  text.remove_prefix(text.find(kBegin) + kBegin.size());
  text = text.substr(0, text.rfind(']'));
  text = text.substr(0, text.find("; "));
  if (text.starts_with("(")) text = text.substr(1, text.size() - 2);
  while (text.starts_with("&") || text.starts_with(" ")) text.remove_prefix(1);
  std::string name(text);
  for (const std::string_view scope :
       {"minception::", "cuda::", "{anonymous}::", "(anonymous namespace)::", "<unnamed>::"}) {
    for (std::size_t at = 0; (at = name.find(scope, at)) != std::string::npos;) name.erase(at, scope.size());
  }
  return name.substr(0, name.find('('));
}

}  // namespace cuda

using cuda::check;

namespace {

/// A CUDA graph. It is replayed on the stream that it was captured from.
class GraphRecording final : public Recording {
 public:
  GraphRecording(cudaGraph_t graph, cudaStream_t stream) : stream_(stream) {
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph);
    cudaGraphDestroy(graph);
    check(status, "making a graph executable");
  }
  ~GraphRecording() override { cudaGraphExecDestroy(executable_); }
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
  check(cudaSetDevice(options.device), concat("choosing device ", options.device));
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream");
  staging_ = std::make_unique<cuda::StagingRing>();
}

CudaBackend::~CudaBackend() {
  cudaStreamSynchronize(stream_);  // staged copies may be under way
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
    fail("the GPU has not enough memory: ", bytes, " bytes are needed, ", available_memory(),
         " are free; use a smaller batch");
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
  check(cudaMemGetInfo(&free_bytes, &total), "asking for free memory");
  return free_bytes;
}

void CudaBackend::copy_to_device(void* device, const void* host, std::size_t bytes) {
  check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_), "copying to the GPU");
  synchronize();  // the caller may change the source at once
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

std::unique_ptr<Recording> CudaBackend::record(const std::function<void()>& work) {
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "beginning to record a graph");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    if (cudaStreamEndCapture(stream_, &graph) == cudaSuccess) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(stream_, &graph), "recording a graph");
  return std::make_unique<GraphRecording>(graph, stream_);
}

void CudaBackend::synchronize() { check(cudaStreamSynchronize(stream_), "waiting for the GPU"); }

Requirements CudaBackend::requirements(const Operation& operation) {
  return std::visit([this](const auto& op) { return needs(op); }, operation);
}

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  return std::make_unique<CudaBackend>(options);
}

}  // namespace minception
