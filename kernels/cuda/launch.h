#pragma once
/// The one way to start a kernel:
///
///   launch<relu_forward<float, 4>>(grid, block, shared_bytes, stream, arguments...);
///
/// It names the kernel in every error, opts in to more than 48 KiB of dynamic shared memory, shows it to a profile, and is
/// where the emulation takes over.

#include <minception/core/error.h>
#include <minception/kernels/cuda/cuda.h>
#include <minception/kernels/cuda/trace.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace minception::cuda {

/// Throws Error unless `status` is success: "what: the runtime's words".
void check(cudaError_t status, std::string_view what);

/// "relu_forward<float, 4>": what the compiler calls the kernel, without our own scopes.
std::string short_kernel_name(std::string_view pretty_function);

template <auto kernel>
const std::string& kernel_name() {
  static const std::string name = short_kernel_name(__PRETTY_FUNCTION__);
  return name;
}

/// Starts a kernel whose arguments have been converted to its parameter types.
template <auto kernel, class... Parameters>
void launch_as(void (*)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
               Parameters... arguments) {
  LaunchScope scope(kernel_name<kernel>());
#if defined(__CUDACC__)
  if (shared_bytes > 48 * 1024) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)),
          kernel_name<kernel>());
  }
  kernel<<<grid, block, shared_bytes, stream>>>(arguments...);
  check(cudaGetLastError(), kernel_name<kernel>());
#else
  simt::launch(kernel_name<kernel>(), grid, block, shared_bytes, stream, [=] { kernel(arguments...); });
#endif
  scope.launched();
}

namespace detail {
template <class T>
struct identity {
  using type = T;
};
template <auto kernel, class... Parameters>
void launch_converted(void (*function)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
                      cudaStream_t stream, typename identity<Parameters>::type... arguments) {
  launch_as<kernel, Parameters...>(function, grid, block, shared_bytes, stream, arguments...);
}
}  // namespace detail

/// A launch of no blocks is none: an empty tensor needs no work.
template <auto kernel, class... Arguments>
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream, const Arguments&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  detail::launch_converted<kernel>(kernel, grid, block, shared_bytes, stream, arguments...);
}

}  // namespace minception::cuda
