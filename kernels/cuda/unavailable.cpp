/// Stubs of the cuda backend for a build without CUDA.

#include "core/error.h"
#include "kernels/backend.h"

namespace minception {

std::string why_no_cuda() {
  return "this build has no cuda backend: configure with -DMINCEPTION_CUDA=NVCC (needs the CUDA toolkit) or "
         "-DMINCEPTION_CUDA=EMULATED (no further requirements)";
}

bool cuda_is_emulated() { return false; }

std::vector<KernelCounts> kernel_counts() { return {}; }
std::string kernel_counts_table() { return {}; }
void reset_kernel_counts() {}

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions&) { fail(why_no_cuda()); }

}  // namespace minception
