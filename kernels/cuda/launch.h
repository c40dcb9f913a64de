#pragma once
/// The launch function of the cuda backend. It adds profiling to simt/launch.h:
///
///   launch<relu_forward<float, 4>>(grid, block, shared_bytes, stream, arguments...);

#include "core/error.h"
#include "kernels/cuda/trace.h"
#include "simt/launch.h"

#include <cstddef>

namespace minception::cuda {

using simt::check;
using simt::kernel_name;
using simt::short_kernel_name;

/// Empty grids are skipped.
template <auto kernel, class... Arguments>
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream, const Arguments&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  LaunchScope scope(kernel_name<kernel>());
  simt::launch_kernel<kernel>(grid, block, shared_bytes, stream, arguments...);
  scope.launched();
}

}  // namespace minception::cuda
