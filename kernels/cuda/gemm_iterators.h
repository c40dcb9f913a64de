#pragma once
/// Iterators of gemm(): matrices, and implicit GEMM of the three convolution passes. The concept is documented in
/// gemm.h.
///
///                 A (m x k)                                            B (k x n)
///   fprop         FpropActivationIterator: x under output pixel m      MatrixIterator: w, o x (r, s, i)
///   dgrad         DgradIterator: dy that reaches input pixel m         DgradFilterIterator: w, (r, s, o) x i
///   wgrad         MatrixIterator: dy, pixel x o                        WgradActivationIterator: x under output pixel k
///
/// Only PixelOrder decodes GEMM indices that run over pixels.

#include "kernels/cuda/vector.h"
#include "kernels/operations.h"
#include "simt/cuda.h"

#include <cstdint>

namespace minception::cuda {

/// Division of 0 <= n < 2^31 by a divisor fixed at launch: a multiplication and a shift instead of about twenty
/// instructions. With d <= 2^l the multiplier ceil(2^(31 + l) / d) exceeds 2^(31 + l) / d by less than 2^l / d. This
/// changes n * multiplier / 2^(31 + l) by less than 1 / d for n < 2^31, so its floor is exact.
class FastDivmod {
 public:
  FastDivmod() : FastDivmod(1) {}
  /// A divisor of 0 (the extent of an empty tensor) is replaced by 1.
  explicit FastDivmod(int divisor) : divisor_(divisor > 0 ? divisor : 1) {
    int l = 0;
    while ((std::int64_t{1} << l) < divisor_) ++l;
    shift_ = 31 + l;
    multiplier_ = static_cast<std::uint32_t>(((std::uint64_t{1} << shift_) + divisor_ - 1) / divisor_);
  }

  __host__ __device__ int value() const { return divisor_; }
  __device__ int divide(int n) const {
    return static_cast<int>(static_cast<std::uint64_t>(static_cast<std::uint32_t>(n)) * multiplier_ >> shift_);
  }
  __device__ int modulo(int n, int quotient) const { return n - quotient * divisor_; }

 private:
  int divisor_;
  int shift_;
  std::uint32_t multiplier_;
};

/// Decodes a GEMM index into a pixel of N x H x W, in memory order.
class PixelOrder {
 public:
  PixelOrder() = default;
  template <class T>
  explicit PixelOrder(const View<T>& view) : pixels_(view.pixels()), image_(view.h * view.w), row_(view.w) {}

  __host__ __device__ int pixels() const { return pixels_; }
  /// Pixel number of an index, as in View::pixel.
  __device__ int pixel(int index) const { return index; }
  __device__ PixelPosition position(int index) const {
    const int image = image_.divide(index);
    const int rest = image_.modulo(index, image);
    const int row = row_.divide(rest);
    return {image, row, row_.modulo(rest, row)};
  }

 private:
  int pixels_ = 0;
  FastDivmod image_, row_;
};

/// Decodes a GEMM index into a filter position (r, s, channel), channels innermost: the memory order of weights.
class FilterOrder {
 public:
  FilterOrder() = default;
  FilterOrder(int filter_h, int filter_w, int channels)
      : count_(filter_h * filter_w * channels), s_(filter_w), channel_(channels) {}

  struct Position {
    int r, s, channel;
  };
  __host__ __device__ int count() const { return count_; }
  __host__ __device__ int channels() const { return channel_.value(); }
  __host__ __device__ int filter_w() const { return s_.value(); }
  __device__ Position position(int index) const {
    const int rs = channel_.divide(index);
    const int r = s_.divide(rs);
    return {r, s_.modulo(rs, r), channel_.modulo(index, rs)};
  }

 private:
  int count_ = 0;
  FastDivmod s_, channel_;
};

/// Row of a pixel index and r of a filter index past the end. Their sums with any valid value, or with each other, are
/// outside every image.
inline constexpr int kNoRow = -(1 << 30);
inline constexpr int kOutsideFilter = 1 << 29;

__device__ inline bool in_range(int row, int extent) {
  return static_cast<unsigned>(row) < static_cast<unsigned>(extent);
}

/// A matrix of rows `stride` elements apart. kKMajor: a row is one index of m or n and contiguous in k (weights in
/// fprop, pixels of a 1x1 convolution). Otherwise a row is one index of k and contiguous in m or n.
template <class T, int kVector, bool kKMajor>
struct MatrixIterator {
  using Element = T;
  static constexpr int V = kVector;
  static constexpr bool k_major = kKMajor;
  /// Offset of the element, negative past the end.
  using MnIndex = int;
  using KIndex = int;

  const T* data;
  int mn_extent, k_extent;
  int stride;

  __device__ MnIndex mn_index(int index) const { return index < mn_extent ? (kKMajor ? index * stride : index) : -1; }
  __device__ KIndex k_index(int k) const { return k < k_extent ? (kKMajor ? k : k * stride) : -1; }
  __device__ const T* at(MnIndex o, KIndex i) const { return (o | i) >= 0 ? data + (o + i) : nullptr; }
};

/// The pixels of a view as rows: m runs over pixels and k over channels, or the transpose.
template <int V, bool k_major, class T>
MatrixIterator<T, V, k_major> pixel_iterator(const View<const T>& view) {
  const int pixels = view.pixels();
  return {view.data, k_major ? pixels : view.c, k_major ? view.c : pixels, view.stride};
}

/// Output pixel (p, q) and filter position (r, s) read x[p * stride.h + r - padding.h][q * stride.w + s - padding.w].
struct ConvGeometry {
  int stride_h, stride_w, padding_h, padding_w;

  explicit ConvGeometry(const Conv2dAttributes& attributes)
      : stride_h(static_cast<int>(attributes.stride.h)),
        stride_w(static_cast<int>(attributes.stride.w)),
        padding_h(static_cast<int>(attributes.padding.h)),
        padding_w(static_cast<int>(attributes.padding.w)) {}
};

/// Whether a convolution is 1x1 with stride 1 and no padding, so that conv2d_fused_1x1 computes it as a plain GEMM.
inline bool is_pointwise(const Conv2dAttributes& attributes, const Tensor& w) {
  return w.h() == 1 && w.w() == 1 && attributes.stride == Extent2d{1, 1} && attributes.padding == Extent2d{0, 0};
}

/// x under the filter: one GEMM index is the output pixel, the other the filter position and channel. In fprop m is the
/// output pixel; in wgrad k is. Contiguous elements are channels of one filter position.
template <class T, int kVector, bool kWgrad>
struct ActivationIterator {
  using Element = T;
  static constexpr int V = kVector;
  static constexpr bool k_major = !kWgrad;

  View<const T> x;
  ConvGeometry geometry;
  PixelOrder outputs;
  FilterOrder filter;

  /// An index's summand of the offset, row and column in x; at() adds both summands.
  struct Part {
    int offset, row, column;
  };
  using MnIndex = Part;
  using KIndex = Part;

  __device__ Part output_pixel(int index) const {
    if (index >= outputs.pixels()) return {0, kNoRow, 0};
    const PixelPosition at = outputs.position(index);
    const int row = at.row * geometry.stride_h - geometry.padding_h;
    const int column = at.column * geometry.stride_w - geometry.padding_w;
    return {((at.image * x.h + row) * x.w + column) * x.stride, row, column};
  }
  __device__ Part filter_position(int index) const {
    if (index >= filter.count()) return {0, kOutsideFilter, 0};
    const FilterOrder::Position at = filter.position(index);
    return {(at.r * x.w + at.s) * x.stride + at.channel, at.r, at.s};
  }
  __device__ Part mn_index(int index) const {
    if constexpr (kWgrad) return filter_position(index);
    return output_pixel(index);
  }
  __device__ Part k_index(int k) const {
    if constexpr (kWgrad) return output_pixel(k);
    return filter_position(k);
  }
  __device__ const T* at(const Part& a, const Part& b) const {
    const bool valid = in_range(a.row + b.row, x.h) && in_range(a.column + b.column, x.w);
    return valid ? x.data + (a.offset + b.offset) : nullptr;
  }
};
template <class T, int V>
using FpropActivationIterator = ActivationIterator<T, V, false>;
template <class T, int V>
using WgradActivationIterator = ActivationIterator<T, V, true>;

/// dy that contributes to dx: m is the input pixel (h, w), k is (r, s, o). Output row p contributes to row h at filter
/// position r if p * stride.h = h + padding.h - r.
template <class T, int kVector>
struct DgradIterator {
  using Element = T;
  static constexpr int V = kVector;
  static constexpr bool k_major = true;

  View<const T> dy;
  ConvGeometry geometry;
  PixelOrder inputs;
  FilterOrder filter;  ///< channels are those of dy
  FastDivmod stride_h, stride_w;

  struct MnIndex {
    int image, row, column;  // offset of the image's first element, h + padding.h, w + padding.w
  };
  struct KIndex {
    int r, s, channel;
  };

  DgradIterator(const View<const T>& gradient, const Conv2dAttributes& attributes, const PixelOrder& order,
                const FilterOrder& filter_order)
      : dy(gradient),
        geometry(attributes),
        inputs(order),
        filter(filter_order),
        stride_h(geometry.stride_h),
        stride_w(geometry.stride_w) {}

  __device__ MnIndex mn_index(int index) const {
    if (index >= inputs.pixels()) return {0, kNoRow, 0};
    const PixelPosition at = inputs.position(index);
    return {at.image * dy.h * dy.w * dy.stride, at.row + geometry.padding_h, at.column + geometry.padding_w};
  }
  __device__ KIndex k_index(int k) const {
    if (k >= filter.count()) return {kOutsideFilter, 0, 0};
    const FilterOrder::Position at = filter.position(k);
    return {at.r, at.s, at.channel};
  }
  __device__ const T* at(const MnIndex& o, const KIndex& i) const {
    int row = o.row - i.r;
    int column = o.column - i.s;
    if (row < 0 || column < 0) return nullptr;
    if (geometry.stride_h > 1) {
      const int p = stride_h.divide(row);
      if (stride_h.modulo(row, p) != 0) return nullptr;
      row = p;
    }
    if (geometry.stride_w > 1) {
      const int q = stride_w.divide(column);
      if (stride_w.modulo(column, q) != 0) return nullptr;
      column = q;
    }
    if (row >= dy.h || column >= dy.w) return nullptr;
    return dy.data + (o.image + (row * dy.w + column) * dy.stride + i.channel);
  }
};

/// Weights (O, R, S, I): k is (r, s, o), n is i.
template <int kVector>
struct DgradFilterIterator {
  using Element = float;
  static constexpr int V = kVector;
  static constexpr bool k_major = false;
  using MnIndex = int;
  using KIndex = int;

  const float* data;
  int in_channels;
  FilterOrder filter;   ///< channels are the O output channels
  int filter_elements;  ///< R * S * I

  __device__ MnIndex mn_index(int index) const { return index < in_channels ? index : -1; }
  __device__ KIndex k_index(int k) const {
    if (k >= filter.count()) return -1;
    const FilterOrder::Position at = filter.position(k);
    return at.channel * filter_elements + (at.r * filter.filter_w() + at.s) * in_channels;
  }
  __device__ const float* at(MnIndex o, KIndex i) const { return (o | i) >= 0 ? data + (o + i) : nullptr; }
};

}  // namespace minception::cuda
