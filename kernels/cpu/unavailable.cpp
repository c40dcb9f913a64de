/// The cpu backend of a build without oneDNN.

#include <minception/core/error.h>
#include <minception/kernels/backend.h>

namespace minception {

std::unique_ptr<Backend> make_cpu_backend(int) {
  fail(
      "this build has no cpu backend: install oneDNN (Debian: libdnnl-dev) and configure again, or use "
      "reference");
}

}  // namespace minception
