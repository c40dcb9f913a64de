/// Fused 1x1 convolutions that share an input, backward. With [dy] = [dy_0 dy_1 ...], the concatenated channels of all
/// members:
///   data:     dx = [dy] * w
///   weights:  dw (+)= [dy]^T * x,  dbias (+)= column sums of [dy]
///
/// One GEMM each: dx is computed once for all members, and its epilogue accumulates onto the gradient of another
/// branch. [dy] is never materialised: `SideBySide` maps a column to its member.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/gemm_dispatch.h"
#include "kernels/cuda/gemm_epilogues.h"
#include "kernels/cuda/gemm_iterators.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/weight_gradient.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace minception {
namespace cuda {

namespace {

constexpr int kBlock = 256;

/// From one pointer to another, which may be into another allocation.
template <class T>
std::ptrdiff_t elements_between(const T* from, const T* to) {
  return (reinterpret_cast<std::intptr_t>(to) - reinterpret_cast<std::intptr_t>(from)) /
         static_cast<std::ptrdiff_t>(sizeof(T));
}

/// The concatenated channels of up to kMost views of the same pixels.
template <class T>
struct SideBySide {
  static constexpr int kMost = 8;

  // Offsets from the data of the first member, in elements. Not pointers: the compiler loses the address space of a
  // pointer that is selected from several parameters, and would use generic loads.

  /// Element (pixel, column) is at data + offset + pixel * stride.
  struct Column {
    std::ptrdiff_t offset;
    int stride;  ///< 0: outside
  };
  struct Member {
    std::ptrdiff_t offset = 0;
    int stride = 0;
    int begin = std::numeric_limits<int>::max();  ///< first column; unused members keep the maximum
  };

  const T* data = nullptr;  ///< of the first member
  Member members[kMost];
  int pixels = 0;
  int columns = 0;

  SideBySide(const Tensor* begin, const Tensor* end) {
    data = const_view<T>(*begin).data;
    for (Member* member = members; begin != end; ++begin, ++member) {
      const View<const T> view = const_view<T>(*begin);
      *member = {elements_between(data, view.data), view.stride, columns};
      pixels = view.pixels();
      columns += view.c;
    }
  }

  __device__ Column column(int index) const {
    // Constant indices: a variable index would copy the array to local memory.
    Member found = members[0];
#pragma unroll
    for (int j = 1; j < kMost; ++j) {
      if (index >= members[j].begin) found = members[j];
    }
    return {found.offset + (index - found.begin), found.stride};
  }
  __device__ const T* at(const Column& column, int pixel) const {
    return data + (column.offset + pixel * column.stride);
  }
};

/// Iterator of gemm() (gemm.h) over SideBySide; contiguous elements are channels of a pixel. Columns are k (data) or m
/// (weights).
template <class T, int kVector, bool kKMajor>
struct MembersMatrix {
  using Element = T;
  static constexpr int V = kVector;
  static constexpr bool k_major = kKMajor;
  using Column = typename SideBySide<T>::Column;
  using MnIndex = std::conditional_t<kKMajor, int, Column>;
  using KIndex = std::conditional_t<kKMajor, Column, int>;

  SideBySide<T> members;

  __device__ int pixel(int index) const { return index < members.pixels ? index : -1; }
  __device__ Column column(int index) const { return index < members.columns ? members.column(index) : Column{0, 0}; }
  __device__ MnIndex mn_index(int index) const {
    if constexpr (kKMajor) {
      return pixel(index);
    } else {
      return column(index);
    }
  }
  __device__ KIndex k_index(int k) const {
    if constexpr (kKMajor) {
      return column(k);
    } else {
      return pixel(k);
    }
  }
  __device__ const T* at(int pixel, const Column& column) const {
    return pixel >= 0 && column.stride != 0 ? members.at(column, pixel) : nullptr;
  }
  __device__ const T* at(const Column& column, int pixel) const { return at(pixel, column); }
};

}  // namespace

/// Direct evaluation of the formula: one thread per element of dx.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_fused_1x1_backward_data_naive(SideBySide<T> dy, const float* w, Gradient<T> target) {
  const int channels = target.dx.c;
  const int index = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (index >= target.dx.elements()) return;
  const int i = index % channels;
  const int pixel = index / channels;

  float sum = 0.0f;
  for (int o = 0; o < dy.columns; ++o) {
    const auto column = dy.column(o);
    sum += static_cast<float>(*dy.at(column, pixel)) * w[o * channels + i];
  }
  target.store(pixel, i, sum);
}

/// Direct evaluation of the formula: one thread per weight. The threads of input channel 0 also compute dbias.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_fused_1x1_backward_weights_naive(View<const T> x, SideBySide<T> dy, WeightGradient gradient) {
  const int index = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (index >= dy.columns * x.c) return;
  const int i = index % x.c;
  const int o = index / x.c;
  const auto column = dy.column(o);

  float sum = 0.0f;
  float bias_sum = 0.0f;
  for (int pixel = 0; pixel < dy.pixels; ++pixel) {
    const auto value = static_cast<float>(*dy.at(column, pixel));
    sum += value * static_cast<float>(x.pixel(pixel)[i]);
    bias_sum += value;
  }
  FloatArray<1> result = {sum};
  gradient.store<1>(o, i, result);
  if (i == 0 && gradient.dbias != nullptr) gradient.store_bias(o, bias_sum);
}

template <class Mainloop, class T, int V>
__global__ void __launch_bounds__(Mainloop::kThreads, Mainloop::kMinBlocksPerSm)
    conv2d_fused_1x1_backward_data_gemm(MembersMatrix<T, V, true> dy, MatrixIterator<float, V, false> w,
                                        GradientEpilogue<T> dx, GemmShape shape) {
  gemm<Mainloop>(dy, w, dx, shape);
}

template <class Mainloop, class T, int V>
__global__ void __launch_bounds__(Mainloop::kThreads, Mainloop::kMinBlocksPerSm)
    conv2d_fused_1x1_backward_weights_gemm(MembersMatrix<T, V, false> dy, MatrixIterator<T, V, false> x,
                                           WeightGradient gradient, GemmShape shape) {
  weight_gradient<Mainloop>(dy, x, gradient, shape);
}

namespace {

/// Calls f(begin, end, first filter, filters, last) for up to SideBySide::kMost members at a time, in order. An
/// Inception block has three.
template <class F>
void for_members(const std::vector<Tensor>& members, F&& f) {
  constexpr std::size_t kMost = SideBySide<float>::kMost;
  int first_filter = 0;
  for (std::size_t first = 0; first < members.size(); first += kMost) {
    const std::size_t count = std::min(kMost, members.size() - first);
    const Tensor* const begin = members.data() + first;
    int filters = 0;
    for (const Tensor* member = begin; member != begin + count; ++member) filters += static_cast<int>(member->c());
    f(begin, begin + count, first_filter, filters, first + count == members.size());
    first_filter += filters;
  }
}

template <class T>
bool members_divide(const Tensor* begin, const Tensor* end, int v) {
  return std::all_of(begin, end, [v](const Tensor& member) { return is_vectorizable(const_view<T>(member), v); });
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaBackend::conv2d_fused_1x1_backward_data(const Conv2dFused1x1BackwardData& op, Workspace) {
  for_dtype(op.target.dx, [&]<class T>() {
    const View<const float> all_filters = const_view<float>(op.w);
    const Algorithm algorithm = algorithm_for<T>(options_);
    for_members(op.dy, [&](const Tensor* begin, const Tensor* end, int first_filter, int filters, bool last) {
      const SideBySide<T> dy(begin, end);
      View<const float> w = all_filters;
      w.data += first_filter * w.c;
      Gradient<T> target = gradient<T>(op.target);
      // Later calls add to the sum of the earlier ones; the last call applies the ReLU mask.
      target.accumulate = target.accumulate || first_filter > 0;
      if (!last) target.relu_output = {};

      if (algorithm == Algorithm::naive) {
        launch<conv2d_fused_1x1_backward_data_naive<T>>(ceil_div(target.dx.elements(), kBlock), kBlock, 0, stream_, dy,
                                                        w.data, target);
        return;
      }
      const GemmShape shape(dy.pixels, w.c, filters);
      for_mainloop<T>(
          options_, shape, [&](int v) { return members_divide<T>(begin, end, v) && is_vectorizable(w, v); },
          [&]<class Mainloop, int V>() {
            using Dy = MembersMatrix<T, V, true>;
            using Weights = MatrixIterator<float, V, false>;
            launch<conv2d_fused_1x1_backward_data_gemm<Mainloop, T, V>>(
                gemm_grid<Mainloop>(shape), Mainloop::kThreads, kGemmSharedBytes<Mainloop, Dy, Weights>, stream_,
                Dy{dy}, Weights{w.data, w.c, filters, w.c}, GradientEpilogue<T>(target), shape);
          });
    });
  });
}

Requirements CudaBackend::needs(const Conv2dFused1x1BackwardWeights& op) {
  if (options_.algorithm == Algorithm::naive) return {};
  Requirements most;
  for_members(op.dy, [&](const Tensor*, const Tensor*, int, int filters, bool) {
    const WeightGradientPlan plan(filters, static_cast<int>(op.x.c()), static_cast<int>(op.x.pixels()));
    most.workspace = std::max(most.workspace, plan.workspace_bytes());
  });
  return most;
}

void CudaBackend::conv2d_fused_1x1_backward_weights(const Conv2dFused1x1BackwardWeights& op, Workspace workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<float> dw = view<float>(op.dw);
    float* const dbias = values<float>(op.dbias);
    const Algorithm algorithm = algorithm_for<T>(options_);
    for_members(op.dy, [&](const Tensor* begin, const Tensor* end, int first_filter, int filters, bool) {
      const SideBySide<T> dy(begin, end);
      const WeightGradient gradient(dw.data + first_filter * x.c, dbias != nullptr ? dbias + first_filter : nullptr,
                                    filters, x.c, op.accumulate);
      if (algorithm == Algorithm::naive) {
        launch<conv2d_fused_1x1_backward_weights_naive<T>>(ceil_div(filters * x.c, kBlock), kBlock, 0, stream_, x, dy,
                                                           gradient);
        return;
      }
      const WeightGradientPlan plan(filters, x.c, dy.pixels);
      const GemmShape& shape = plan.shape();
      const WeightGradient destination = plan.destination(gradient, workspace);
      for_mainloop<T>(
          options_, shape, [&](int v) { return members_divide<T>(begin, end, v) && is_vectorizable(x, v); },
          [&]<class Mainloop, int V>() {
            using Dy = MembersMatrix<T, V, false>;
            using X = MatrixIterator<T, V, false>;
            launch<conv2d_fused_1x1_backward_weights_gemm<Mainloop, T, V>>(
                weight_gradient_grid<Mainloop>(shape, destination), Mainloop::kThreads,
                kGemmSharedBytes<Mainloop, Dy, X>, stream_, Dy{dy}, pixel_iterator<V, false>(x), destination, shape);
          });
      if (shape.splits() > 1) add_weight_gradient_parts(destination, shape.splits(), gradient, stream_);
    });
  });
}

}  // namespace minception
