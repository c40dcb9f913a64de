/// Max pooling. Forward stores the window index of each maximum, in one byte per output. Backward is a gather without
/// atomics: each input looks up the windows that contain it and sums dy of those of which it is the maximum.
///
/// For common kernels the trip counts of the loops are template parameters, so that the loops unroll. Positions outside
/// the image are clamped to its edge, so that loads are unconditional and a thread has several in flight.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/window.h"

#include <cmath>
#include <cstdint>

namespace minception {
namespace cuda {
namespace {

__device__ __forceinline__ int clamped(int i, int count) { return i < 0 ? 0 : i < count ? i : count - 1; }

template <int V>
using WindowIndices = AlignedArray<std::uint8_t, V>;

}  // namespace

/// One thread per V channels of an output pixel. K: the kernel's extent along both axes, or 0 if it is a run-time
/// value. A position outside the image is clamped to the nearest one inside, which belongs to the window as well (every
/// window contains a pixel). Reading that one again changes nothing, because only a larger value wins.
template <class T, int V, int K>
__global__ void __launch_bounds__(kElementwiseBlock)
    max_pool2d_forward(View<const T> x, View<T> y, std::uint8_t* argmax, PoolAxes axes) {
  const Place at = thread_place<V>(y);
  if (!at.inside) return;
  const auto [n, p, q] = position(y, at.pixel);
  const int kernel_h = K > 0 ? K : axes.rows.kernel;
  const int kernel_w = K > 0 ? K : axes.columns.kernel;
  const int top = axes.rows.origin(p);
  const int left = axes.columns.origin(q);

  const int first_index = (axes.rows.begin(p) - top) * kernel_w + axes.columns.begin(q) - left;
  FloatArray<V> largest;
  int winner[V];
#pragma unroll
  for (int i = 0; i < V; ++i) {
    largest[i] = -INFINITY;
    winner[i] = first_index;
  }
#pragma unroll(K > 0 ? K : 1)
  for (int r = 0; r < kernel_h; ++r) {
    const int row = clamped(top + r, axes.rows.in);
#pragma unroll(K > 0 ? K : 1)
    for (int s = 0; s < kernel_w; ++s) {
      const int column = clamped(left + s, axes.columns.in);
      const int window_index = (row - top) * kernel_w + column - left;
      const FloatArray<V> value = load<V>(x.pixel(n, row, column) + at.channel);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        // A larger value or a NaN wins, unless the current maximum is NaN.
        const bool wins = !(value[i] <= largest[i]) && largest[i] == largest[i];
        largest[i] = wins ? value[i] : largest[i];
        winner[i] = wins ? window_index : winner[i];
      }
    }
  }

  store<V>(y.pixel(at.pixel) + at.channel, largest);
  if (argmax == nullptr) return;
  WindowIndices<V> indices;
#pragma unroll
  for (int i = 0; i < V; ++i) indices.element[i] = static_cast<std::uint8_t>(winner[i]);
  *reinterpret_cast<WindowIndices<V>*>(argmax + at.pixel * y.c + at.channel) = indices;
}

/// One thread per V channels of an input pixel. Windows: the number of windows along one axis that may contain a pixel,
/// or 0 if it is a run-time value. For a window that does not exist or does not contain the pixel, the nearest window
/// is read and compared with kNoIndex, which never matches.
template <class T, int V, int Windows>
__global__ void __launch_bounds__(kElementwiseBlock)
    max_pool2d_backward(View<const T> dy, const std::uint8_t* argmax, Gradient<T> target, PoolAxes axes) {
  constexpr int kNoIndex = -1;
  const auto& [rows, columns] = axes;
  const Place at = thread_place<V>(target.dx);
  if (!at.inside) return;
  const auto [n, h, w] = position(target.dx, at.pixel);
  const int last_row = (h + rows.padding) / rows.stride;
  const int last_column = (w + columns.padding) / columns.stride;
  const int window_rows = Windows > 0 ? Windows : last_row - rows.first_holding(h) + 1;
  const int window_columns = Windows > 0 ? Windows : last_column - columns.first_holding(w) + 1;

  FloatArray<V> sum = {};
#pragma unroll(Windows > 0 ? Windows : 1)
  for (int i = 0; i < window_rows; ++i) {
    const int p = last_row - i;
    const int r = h - rows.origin(p);
    const bool row_holds = p >= 0 && p < rows.out && r < rows.kernel;
#pragma unroll(Windows > 0 ? Windows : 1)
    for (int j = 0; j < window_columns; ++j) {
      const int q = last_column - j;
      const int s = w - columns.origin(q);
      const bool holds = row_holds && q >= 0 && q < columns.out && s < columns.kernel;
      const int window_index = holds ? r * columns.kernel + s : kNoIndex;
      const int window = (n * dy.h + clamped(p, rows.out)) * dy.w + clamped(q, columns.out);
      const auto indices = *reinterpret_cast<const WindowIndices<V>*>(argmax + window * dy.c + at.channel);
      const FloatArray<V> gradient = load<V>(dy.pixel(window) + at.channel);
#pragma unroll
      for (int k = 0; k < V; ++k) sum[k] += indices.element[k] == window_index ? gradient[k] : 0.0f;
    }
  }
  store<V>(target, at.pixel, at.channel, sum);
}

namespace {

/// Calls f.operator()<2>() or <3>() if that is the count along both axes, so that its loops unroll, else
/// f.operator()<0>(). V = 1, the slow path, always uses <0>, to compile fewer kernels.
template <int V, class F>
void for_count(int rows, int columns, F&& f) {
  if constexpr (V > 1) {
    if (rows == 2 && columns == 2) return f.template operator()<2>();
    if (rows == 3 && columns == 3) return f.template operator()<3>();
  }
  f.template operator()<0>();
}

/// Maximum number of windows along an axis that contain one pixel.
int overlapping(const PoolAxis& axis) { return (axis.kernel - 1) / axis.stride + 1; }

/// View of argmax, which must be vectorizable, too; its data is nullptr if argmax is undefined.
View<std::uint8_t> argmax_view(const Tensor& argmax) {
  return argmax.defined() ? view<std::uint8_t>(argmax) : View<std::uint8_t>{};
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaBackend::max_pool2d_forward(const MaxPool2dForward& op, Workspace) {
  const PoolAxes axes = pool_axes(op.attributes, op.x, op.y);
  const View<std::uint8_t> argmax = argmax_view(op.argmax);
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<T> y = view<T>(op.y);
    for_width<T>(
        [&]<int V>() {
          for_count<V>(axes.rows.kernel, axes.columns.kernel, [&]<int K>() {
            launch<cuda::max_pool2d_forward<T, V, K>>(elementwise_blocks<V>(y), kElementwiseBlock, 0, stream_, x, y,
                                                      argmax.data, axes);
          });
        },
        x, y, argmax);
  });
}

void CudaBackend::max_pool2d_backward(const MaxPool2dBackward& op, Workspace) {
  const PoolAxes axes = pool_axes(op.attributes, op.target.dx, op.dy);
  const View<std::uint8_t> argmax = argmax_view(op.argmax);
  for_dtype(op.dy, [&]<class T>() {
    const View<const T> dy = const_view<T>(op.dy);
    const Gradient<T> target = gradient<T>(op.target);
    for_width<T>(
        [&]<int V>() {
          for_count<V>(overlapping(axes.rows), overlapping(axes.columns), [&]<int Windows>() {
            launch<cuda::max_pool2d_backward<T, V, Windows>>(elementwise_blocks<V>(target.dx), kElementwiseBlock, 0,
                                                             stream_, dy, argmax.data, target, axes);
          });
        },
        dy, argmax, target);
  });
}

}  // namespace minception
