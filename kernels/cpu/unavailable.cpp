/// Stub of the cpu backend for builds without oneDNN.

#include "core/error.h"
#include "kernels/backend.h"

namespace minception {

std::unique_ptr<Backend> make_cpu_backend(int) {
  fail(
      "this build has no cpu backend: install oneDNN (Debian: libdnnl-dev) and configure again, or use "
      "reference");
}

}  // namespace minception
