/// The vendor backend without its operations: handles, and dense stand-ins for tensors that the libraries do not
/// accept.

#include "core/error.h"
#include "kernels/vendor/handles.h"

namespace minception {

using namespace vendor;

VendorBackend::VendorBackend(const VendorOptions& options)
    : CudaBackend({.tf32 = options.tf32, .device = options.device}), options_(options) {
  const vendor::Libraries& library = libraries();
  handles_ = std::make_unique<Handles>();
  check(library.cudnnCreate(&handles_->cudnn), "starting");
  check(library.cudnnSetStream(handles_->cudnn, stream()), "setting a stream");
  check(library.cublasCreate_v2(&handles_->cublas), "starting");
  check(library.cublasSetStream_v2(handles_->cublas, stream()), "setting a stream");
  // Preallocated, because cuBLAS would allocate a workspace during graph capture: 32 MiB on an H100.
  constexpr std::size_t kWorkspace = 32 << 20;
  handles_->cublas_workspace = allocate(kWorkspace);
  check(library.cublasSetWorkspace_v2(handles_->cublas, handles_->cublas_workspace.data(), kWorkspace),
        "setting a workspace");
  check(library.cublasSetMathMode(handles_->cublas, options.tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH),
        "setting the math mode");
}

VendorBackend::~VendorBackend() {
  try {
    synchronize();          // the libraries' memory may be in use
  } catch (const Error&) {  // destructors must not throw; the failing call has reported the error
  }
}

std::string VendorBackend::description() const { return concat(CudaBackend::description(), ", ", library_versions()); }

Requirements VendorBackend::requirements(const Operation& operation) {
  return std::visit([this](const auto& op) { return needs(op); }, operation);
}

Workspace VendorBackend::ours(const Operation& operation, Walk& walk) {
  const std::size_t bytes = CudaBackend::requirements(operation).workspace;
  return {take_bytes(bytes, walk), bytes};
}

void* VendorBackend::take_bytes(std::size_t bytes, Walk& walk) const {
  return walk.scratch.take<std::byte>(static_cast<std::int64_t>(bytes));
}

Tensor VendorBackend::stand_in(const Shape& shape, DType dtype, Walk& walk) const {
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  return Tensor(shape, dtype, take_bytes(bytes, walk), device());
}

Tensor VendorBackend::dense(const Tensor& tensor, DType dtype, Walk& walk) {
  if (tensor.dense() && tensor.dtype == dtype) return tensor;
  const Tensor copy = stand_in(tensor.shape, dtype, walk);
  if (walk.works) CudaBackend::cast({.x = tensor, .y = copy}, {});
  return copy;
}

void VendorBackend::finish(const Tensor& result, const Tensor& y, const Walk& walk) {
  if (walk.works && !y.dense()) CudaBackend::cast({.x = result, .y = y}, {});
}

VendorBackend::GradientBuffer VendorBackend::result(const GradTarget& target, Walk& walk) const {
  if (target.dx.dense()) return {target.dx, target.accumulate ? 1.0f : 0.0f};
  return {stand_in(target.dx.shape, target.dx.dtype, walk), 0.0f};
}

void VendorBackend::finish(const GradientBuffer& result, const GradTarget& target, const Walk& walk) {
  if (!walk.works) return;
  if (!target.dx.dense()) {
    CudaBackend::split({.dy = result.dx, .targets = {target}}, {});
  } else if (target.relu_output.defined()) {
    CudaBackend::relu_backward({.y = target.relu_output, .dy = target.dx, .target = {.dx = target.dx}}, {});
  }
}

std::unique_ptr<Backend> make_vendor_backend(const VendorOptions& options) {
  const std::string problem = why_no_vendor();
  require(problem.empty(), problem);
  return std::make_unique<VendorBackend>(options);
}

std::string why_no_vendor() {
  const std::string problem = why_no_cuda();
  return problem.empty() ? why_no_libraries() : problem;
}

}  // namespace minception
