#pragma once
/// Kernel launches with the same syntax for both compilers:
///
///   launch_kernel<scale>(grid, block, shared_bytes, stream, arguments...);
///
/// Errors name the kernel. Launches with more than 48 KiB of dynamic shared memory set the kernel attribute for it.

#include "simt/cuda.h"

#include <cstddef>
#include <string>
#include <string_view>

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

namespace detail {

template <class T>
struct identity {
  using type = T;
};

/// Converts the arguments to the kernel's parameter types.
template <auto kernel, class... Parameters>
void launch_converted(void (*)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                      typename identity<Parameters>::type... arguments) {
#if defined(__CUDACC__)
  if (shared_bytes > 48 * 1024) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)),
          kernel_name<kernel>());
  }
  kernel<<<grid, block, shared_bytes, stream>>>(arguments...);
  check(cudaGetLastError(), kernel_name<kernel>());
#else
  launch_emulated<kernel, Parameters...>(kernel_name<kernel>(), grid, block, shared_bytes, stream, arguments...);
#endif
}

}  // namespace detail

/// Empty grids are skipped.
template <auto kernel, class... Arguments>
void launch_kernel(dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                   const Arguments&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  detail::launch_converted<kernel>(kernel, grid, block, shared_bytes, stream, arguments...);
}

}  // namespace minception::simt
