/// Stubs of the vendor backend for a build without it.

#include "core/error.h"
#include "kernels/backend.h"

namespace minception {

std::string why_no_vendor() {
  return "this build has no vendor backend: it needs -DMINCEPTION_CUDA=NVCC and, when it is configured, the headers of "
         "cuDNN 9 and cuBLAS";
}

std::unique_ptr<Backend> make_vendor_backend(const VendorOptions&) { fail(why_no_vendor()); }

}  // namespace minception
