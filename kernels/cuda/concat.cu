/// Concatenation along channels, and its backward pass, split. One launch copies up to 16 parts to or from adjacent
/// channel slices of the whole; more parts take more launches.

#include "kernels/cuda/backend.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace minception {
namespace cuda {
namespace {

constexpr int kMostParts = 16;

/// Consecutive parts. Part j holds channels end[j-1] to end[j] - 1 of the group's slice.
template <class Part>
struct ConcatGroup {
  Part part[kMostParts];
  int end[kMostParts];
  int count = 0;
};

template <class T>
bool is_vectorizable(const ConcatGroup<T>& group, int v) {
  return std::all_of(group.part, group.part + group.count,
                     [=](const T& part) { return cuda::is_vectorizable(part, v); });
}

/// Calls f(slice of the whole, group) for each group of up to kMostParts parts. make() converts an operand to a Part.
template <class Part, class Operand, class Channels, class Make, class F>
void for_each_group(const Tensor& whole, const std::vector<Operand>& operands, Channels&& channels, Make&& make,
                    F&& f) {
  std::int64_t first_channel = 0;
  for (std::size_t j = 0; j < operands.size();) {
    ConcatGroup<Part> group;
    int width = 0;
    for (; j < operands.size() && group.count < kMostParts; ++j) {
      width += static_cast<int>(channels(operands[j]));
      group.part[group.count] = make(operands[j]);
      group.end[group.count++] = width;
    }
    f(whole.channels(first_channel, width), group);
    first_channel += width;
  }
}

/// Index of the part that contains a channel of the group's slice.
template <class Part>
__device__ __forceinline__ int part_of(const ConcatGroup<Part>& group, int channel) {
  int j = 0;
  while (channel >= group.end[j]) ++j;
  return j;
}

}  // namespace

/// One thread per V channels of an output pixel.
template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock) concat_forward(ConcatGroup<View<const T>> x, View<T> y) {
  const Place at = thread_place<V>(y);
  if (!at.inside) return;
  const int j = part_of(x, at.channel);
  const int channel = at.channel - (j > 0 ? x.end[j - 1] : 0);
  store<V>(y.pixel(at.pixel) + at.channel, load<V>(x.part[j].pixel(at.pixel) + channel));
}

template <class T, int V>
__global__ void __launch_bounds__(kElementwiseBlock)
    split_channels(View<const T> dy, ConcatGroup<Gradient<T>> targets) {
  const Place at = thread_place<V>(dy);
  if (!at.inside) return;
  const int j = part_of(targets, at.channel);
  const int channel = at.channel - (j > 0 ? targets.end[j - 1] : 0);
  store<V>(targets.part[j], at.pixel, channel, load<V>(dy.pixel(at.pixel) + at.channel));
}

}  // namespace cuda

using namespace cuda;

void CudaBackend::concat_forward(const ConcatForward& op, Workspace) {
  for_dtype(op.y, [&]<class T>() {
    for_each_group<View<const T>>(
        op.y, op.x, [](const Tensor& x) { return x.c(); }, const_view<T>,
        [&](const Tensor& slice, const ConcatGroup<View<const T>>& x) {
          const View<T> y = view<T>(slice);
          for_width<T>(
              [&]<int V>() {
                launch<cuda::concat_forward<T, V>>(elementwise_blocks<V>(y), kElementwiseBlock, 0, stream_, x, y);
              },
              x, y);
        });
  });
}

void CudaBackend::split(const Split& op, Workspace) {
  for_dtype(op.dy, [&]<class T>() {
    for_each_group<Gradient<T>>(
        op.dy, op.targets, [](const GradTarget& target) { return target.dx.c(); }, gradient<T>,
        [&](const Tensor& slice, const ConcatGroup<Gradient<T>>& targets) {
          const View<const T> dy = const_view<T>(slice);
          for_width<T>(
              [&]<int V>() {
                launch<cuda::split_channels<T, V>>(elementwise_blocks<V>(dy), kElementwiseBlock, 0, stream_, dy,
                                                   targets);
              },
              dy, targets);
        });
  });
}

}  // namespace minception
