#include "kernels/vendor/libraries.h"
#include "core/error.h"

#include <dlfcn.h>

namespace minception::vendor {
namespace {

struct Loaded {
  Libraries functions;
  std::string problem;
};

void* open_library(const std::string& name) {
  void* const library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const why = dlerror();
    fail("the vendor backend needs ", name, ": ", why == nullptr ? "it could not be loaded" : why,
         "; add its folder to LD_LIBRARY_PATH");
  }
  return library;
}

template <class Function>
void find(void* library, const std::string& library_name, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  require(function != nullptr, library_name, " has no function ", name, ": its version does not match this build");
}

Loaded load() {
  Loaded loaded;
  try {
    // Never closed: handles and kernels of these libraries live until the process exits.
    const std::string cudnn = concat("libcudnn.so.", CUDNN_MAJOR), cublas = concat("libcublas.so.", CUBLAS_VER_MAJOR);
    void* const cudnn_library = open_library(cudnn);
    void* const cublas_library = open_library(cublas);
#define MINCEPTION_FIND(name) find(cudnn_library, cudnn, #name, loaded.functions.name);
    MINCEPTION_CUDNN_FUNCTIONS(MINCEPTION_FIND)
#undef MINCEPTION_FIND
#define MINCEPTION_FIND(name) find(cublas_library, cublas, #name, loaded.functions.name);
    MINCEPTION_CUBLAS_FUNCTIONS(MINCEPTION_FIND)
#undef MINCEPTION_FIND
  } catch (const Error& error) {
    loaded.problem = error.what();
  }
  return loaded;
}

const Loaded& loaded() {
  static const Loaded once = load();
  return once;
}

}  // namespace

const Libraries& libraries() {
  require(loaded().problem.empty(), loaded().problem);
  return loaded().functions;
}

const std::string& why_no_libraries() { return loaded().problem; }

std::string library_versions() {
  const std::size_t version = libraries().cudnnGetVersion();  // 10000 * major + 100 * minor + patch
  return concat("cuDNN ", version / 10000, ".", version / 100 % 100, ".", version % 100, ", cuBLAS ", CUBLAS_VER_MAJOR);
}

void check(cudnnStatus_t status, std::string_view what) {
  if (status != CUDNN_STATUS_SUCCESS) fail("cuDNN: ", what, ": ", libraries().cudnnGetErrorString(status));
}

void check(cublasStatus_t status, std::string_view what) {
  if (status != CUBLAS_STATUS_SUCCESS) fail("cuBLAS: ", what, ": ", libraries().cublasGetStatusString(status));
}

}  // namespace minception::vendor
