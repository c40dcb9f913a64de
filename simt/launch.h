#pragma once
/// Kernel launches with the same syntax for both compilers:
///
///   launch_kernel<scale>(grid, block, shared_bytes, stream, arguments...);
///
/// Errors name the kernel. If the environment variable MINCEPTION_LAUNCHES names a folder, each process writes a file
/// there when it exits: the names of the kernels that it launched, one per line.

#include "simt/cuda.h"

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace minception::simt {

/// Throws Error with `what` and the error string of the runtime unless `status` is cudaSuccess.
void check(cudaError_t status, std::string_view what);

/// Kernel name in `pretty_function` without the namespaces of the framework: "relu_forward<float, 4>".
std::string short_kernel_name(std::string_view pretty_function);

template <auto kernel>
const std::string& kernel_name() {
  static const std::string name = short_kernel_name(__PRETTY_FUNCTION__);
  return name;
}

/// Names of all kernels that the code of this program launches somewhere, sorted, and of those that this process has
/// launched so far.
std::vector<std::string> compiled_kernels();
std::vector<std::string> launched_kernels();

namespace detail {

/// A kernel of this program. The constructor, which runs before main, adds it to the list.
struct CompiledKernel {
  explicit CompiledKernel(const char* pretty_function_of_launch);

  const char* pretty_function;
  const CompiledKernel* next;
  std::atomic<bool> launched = false;
};
template <auto kernel>
struct Compiled {
  static const char* signature() { return __PRETTY_FUNCTION__; }
  static inline CompiledKernel entry{signature()};
};

template <class T>
struct identity {
  using type = T;
};

/// Converts the arguments to the kernel's parameter types.
template <auto kernel, class... Parameters>
void launch_converted(void (*)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                      typename identity<Parameters>::type... arguments) {
  // Without the attribute, static and dynamic shared memory together may have 48 KiB. The static part is unknown here.
  if (shared_bytes > 0) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)),
          kernel_name<kernel>());
  }
#if defined(__CUDACC__)
  kernel<<<grid, block, shared_bytes, stream>>>(arguments...);
  check(cudaGetLastError(), kernel_name<kernel>());
#else
  launch_emulated<kernel, Parameters...>(kernel_name<kernel>(), grid, block,
                                         {shared_bytes, dynamic_shared_limit(kernel)}, stream, arguments...);
#endif
}

}  // namespace detail

/// Empty grids are skipped.
template <auto kernel, class... Arguments>
void launch_kernel(dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                   const Arguments&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  detail::Compiled<kernel>::entry.launched.store(true, std::memory_order_relaxed);
  detail::launch_converted<kernel>(kernel, grid, block, shared_bytes, stream, arguments...);
}

}  // namespace minception::simt
