/// Several 1x1 convolutions of one input, backward. With [dy] = [dy_0 dy_1 ...], the channels of all members side by side:
///   data:     dx = [dy] * w
///   weights:  dw (+)= [dy]^T * x,  dbias (+)= the sums of [dy]'s columns
///
/// One matrix product each: dx is computed once for all members, and what was in it (another branch's gradient) joins as
/// it is stored. [dy] is never put together: `SideBySide` knows which member a column lies in.

#include <minception/kernels/cuda/backend.h>
#include <minception/kernels/cuda/gemm_dispatch.h>
#include <minception/kernels/cuda/gemm_operands.h>
#include <minception/kernels/cuda/gemm_results.h>
#include <minception/kernels/cuda/launch.h>
#include <minception/kernels/cuda/weight_gradient.h>

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

namespace minception {
namespace cuda {

namespace {

constexpr int kBlock = 256;

/// The channels of up to kMost views of the same pixels, side by side.
template <class T>
struct SideBySide {
  static constexpr int kMost = 8;

  /// Element (pixel, column) lies at data + pixel * stride.
  struct Column {
    const T* data;
    int stride;
  };
  struct Member {
    const T* data = nullptr;
    int stride = 0;
    int begin = std::numeric_limits<int>::max();  ///< its first column; no column reaches an absent member's
  };

  Member members[kMost];
  int pixels = 0;
  int columns = 0;

  SideBySide(const Tensor* begin, const Tensor* end) {
    for (Member* member = members; begin != end; ++begin, ++member) {
      const View<const T> view = const_view<T>(*begin);
      *member = {view.data, view.stride, columns};
      pixels = view.pixels();
      columns += view.c;
    }
  }

  __device__ Column column(int index) const {
    // Constant indices: an array indexed by a variable would be copied to local memory.
    Member found = members[0];
#pragma unroll
    for (int j = 1; j < kMost; ++j) {
      if (index >= members[j].begin) found = members[j];
    }
    return {found.data + (index - found.begin), found.stride};
  }
};

/// SideBySide as an operand of gemm() (gemm.h): neighbours are channels of a pixel. Columns are k (data) or m (weights).
template <class T, int kVector, bool kInner>
struct MembersMatrix {
  using Element = T;
  static constexpr int V = kVector;
  static constexpr bool k_inner = kInner;
  using Column = typename SideBySide<T>::Column;
  using Outer = std::conditional_t<kInner, int, Column>;
  using Inner = std::conditional_t<kInner, Column, int>;

  SideBySide<T> members;

  __device__ int pixel(int index) const { return index < members.pixels ? index : -1; }
  __device__ Column column(int index) const {
    return index < members.columns ? members.column(index) : Column{nullptr, 0};
  }
  __device__ Outer outer(int index) const {
    if constexpr (kInner) {
      return pixel(index);
    } else {
      return column(index);
    }
  }
  __device__ Inner inner(int k) const {
    if constexpr (kInner) {
      return column(k);
    } else {
      return pixel(k);
    }
  }
  __device__ const T* find(int pixel, const Column& column) const {
    return pixel >= 0 && column.data != nullptr ? column.data + pixel * column.stride : nullptr;
  }
  __device__ const T* find(const Column& column, int pixel) const { return find(pixel, column); }
};

}  // namespace

/// The formula: one thread per element of dx.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_1x1_group_backward_data_naive(SideBySide<T> dy, const float* w, Gradient<T> target) {
  const int channels = target.dx.c;
  const int index = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (index >= target.dx.elements()) return;
  const int i = index % channels;
  const int pixel = index / channels;

  float sum = 0.0f;
  for (int o = 0; o < dy.columns; ++o) {
    const auto column = dy.column(o);
    sum += static_cast<float>(column.data[pixel * column.stride]) * w[o * channels + i];
  }
  target.store(pixel, i, sum);
}

/// The formula: one thread per weight. The threads of channel 0 also have the bias of their filter.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv2d_1x1_group_backward_weights_naive(View<const T> x, SideBySide<T> dy, WeightGradient gradient) {
  const int index = static_cast<int>(blockIdx.x * kBlock + threadIdx.x);
  if (index >= dy.columns * x.c) return;
  const int i = index % x.c;
  const int o = index / x.c;
  const auto column = dy.column(o);

  float sum = 0.0f;
  float bias_sum = 0.0f;
  for (int pixel = 0; pixel < dy.pixels; ++pixel) {
    const auto value = static_cast<float>(column.data[pixel * column.stride]);
    sum += value * static_cast<float>(x.pixel(pixel)[i]);
    bias_sum += value;
  }
  Floats<1> result = {sum};
  gradient.store<1>(o, i, result);
  if (i == 0 && gradient.dbias != nullptr) gradient.store_bias(o, bias_sum);
}

template <class Multiply, class T, int V>
__global__ void __launch_bounds__(Multiply::kThreads, Multiply::kBlocksPerProcessor)
    conv2d_1x1_group_backward_data_gemm(MembersMatrix<T, V, true> dy, Matrix<float, V, false> w, GradientResult<T> dx,
                                        GemmShape shape) {
  gemm<Multiply>(dy, w, dx, shape);
}

template <class Multiply, class T, int V>
__global__ void __launch_bounds__(Multiply::kThreads, Multiply::kBlocksPerProcessor)
    conv2d_1x1_group_backward_weights_gemm(MembersMatrix<T, V, false> dy, Matrix<T, V, false> x,
                                           WeightGradient gradient, GemmShape shape) {
  weight_gradient<Multiply>(dy, x, gradient, shape);
}

namespace {

/// f(begin, end, first filter, filters, last) for so many members at a time as `SideBySide` holds, in order. An Inception
/// block has three.
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
  return std::all_of(begin, end, [v](const Tensor& member) { return divides(const_view<T>(member), v); });
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaBackend::conv2d_1x1_group_backward_data(const Conv2d1x1GroupBackwardData& op, Workspace) {
  for_dtype(op.target.dx, [&]<class T>() {
    const View<const float> all_filters = const_view<float>(op.w);
    const Rung rung = rung_for<T>(options_);
    for_members(op.dy, [&](const Tensor* begin, const Tensor* end, int first_filter, int filters, bool last) {
      const SideBySide<T> dy(begin, end);
      View<const float> w = all_filters;
      w.data += first_filter * w.c;
      Gradient<T> target = gradient<T>(op.target);
      // Further members add to what the first ones have left; the mask is for the sum.
      target.accumulate = target.accumulate || first_filter > 0;
      if (!last) target.relu_output = {};

      if (rung == Rung::naive) {
        launch<conv2d_1x1_group_backward_data_naive<T>>(blocks_for(target.dx.elements(), kBlock), kBlock, 0, stream_,
                                                        dy, w.data, target);
        return;
      }
      const GemmShape shape(dy.pixels, w.c, filters);
      for_multiply<T>(
          rung, shape, [&](int v) { return members_divide<T>(begin, end, v) && divides(w, v); },
          [&]<class Multiply, int V>() {
            using Dy = MembersMatrix<T, V, true>;
            using Weights = Matrix<float, V, false>;
            launch<conv2d_1x1_group_backward_data_gemm<Multiply, T, V>>(
                gemm_grid<Multiply>(shape), Multiply::kThreads, kGemmSharedBytes<Multiply, Dy, Weights>, stream_,
                Dy{dy}, Weights{w.data, w.c, filters, w.c}, GradientResult<T>(target), shape);
          });
    });
  });
}

Requirements CudaBackend::needs(const Conv2d1x1GroupBackwardWeights& op) {
  if (options_.rung == Rung::naive) return {};
  Requirements most;
  for_members(op.dy, [&](const Tensor*, const Tensor*, int, int filters, bool) {
    const WeightGradientPlan plan(filters, static_cast<int>(op.x.c()), static_cast<int>(op.x.pixels()));
    most.workspace = std::max(most.workspace, plan.workspace_bytes());
  });
  return most;
}

void CudaBackend::conv2d_1x1_group_backward_weights(const Conv2d1x1GroupBackwardWeights& op, Workspace workspace) {
  for_dtype(op.x, [&]<class T>() {
    const View<const T> x = const_view<T>(op.x);
    const View<float> dw = view<float>(op.dw);
    float* const dbias = values<float>(op.dbias);
    const Rung rung = rung_for<T>(options_);
    for_members(op.dy, [&](const Tensor* begin, const Tensor* end, int first_filter, int filters, bool) {
      const SideBySide<T> dy(begin, end);
      const WeightGradient gradient(dw.data + first_filter * x.c, dbias != nullptr ? dbias + first_filter : nullptr,
                                    filters, x.c, op.accumulate);
      if (rung == Rung::naive) {
        launch<conv2d_1x1_group_backward_weights_naive<T>>(blocks_for(filters * x.c, kBlock), kBlock, 0, stream_, x, dy,
                                                           gradient);
        return;
      }
      const WeightGradientPlan plan(filters, x.c, dy.pixels);
      const GemmShape& shape = plan.shape();
      const WeightGradient destination = plan.destination(gradient, workspace);
      for_multiply<T>(
          rung, shape, [&](int v) { return members_divide<T>(begin, end, v) && divides(x, v); },
          [&]<class Multiply, int V>() {
            using Dy = MembersMatrix<T, V, false>;
            using X = Matrix<T, V, false>;
            launch<conv2d_1x1_group_backward_weights_gemm<Multiply, T, V>>(
                weight_gradient_grid<Multiply>(shape, destination), Multiply::kThreads,
                kGemmSharedBytes<Multiply, Dy, X>, stream_, Dy{dy}, pixel_matrix<V, false>(x), destination, shape);
          });
      if (shape.splits() > 1) add_weight_gradient_parts(destination, shape.splits(), gradient, stream_);
    });
  });
}

}  // namespace minception
