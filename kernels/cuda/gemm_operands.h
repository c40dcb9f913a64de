#pragma once
/// Operands of gemm() (gemm.h says what an operand is): matrices, and the pixels that a convolution pairs with its
/// taps.
///
///                       A (m x k)                                     B (k x n)
///   forward             Windows: x under window m at (r, s, i)        Matrix: w, o x (r, s, i)
///   backward data       Spread: dy that reaches pixel m by (r, s, o)  Filters: w, (r, s, o) x i
///   backward weights    Matrix: dy, pixel x o                         WindowsAcross: x under window k at (r, s, i)
///
/// An index of rows that runs over pixels is decoded by PixelOrder and by nothing else.

#include <minception/kernels/cuda/cuda.h>
#include <minception/kernels/cuda/vector.h>
#include <minception/kernels/operations.h>

#include <cstdint>

namespace minception::cuda {

/// Division of 0 <= n < 2^31 by what a launch knows: a multiplication and a shift, where a division costs some twenty
/// instructions. With d <= 2^l the multiplier ceil(2^(31 + l) / d) exceeds 2^(31 + l) / d by less than 2^l / d, which
/// moves the quotient of any n < 2^31 by less than 1 / d.
class Divisor {
 public:
  Divisor() : Divisor(1) {}
  /// 0, an extent of an empty tensor, divides nothing and counts as 1.
  explicit Divisor(int divisor) : divisor_(divisor > 0 ? divisor : 1) {
    int l = 0;
    while ((std::int64_t{1} << l) < divisor_) ++l;
    shift_ = 31 + l;
    multiplier_ = static_cast<std::uint32_t>(((std::uint64_t{1} << shift_) + divisor_ - 1) / divisor_);
  }

  __host__ __device__ int value() const { return divisor_; }
  __device__ int quotient(int n) const {
    return static_cast<int>(static_cast<std::uint64_t>(static_cast<std::uint32_t>(n)) * multiplier_ >> shift_);
  }
  __device__ int remainder(int n, int of_quotient) const { return n - of_quotient * divisor_; }

 private:
  int divisor_;
  int shift_;
  std::uint32_t multiplier_;
};

struct PixelPosition {
  int image, row, column;
};

/// In which order the pixels of N x H x W are indices of a product: the order they have in memory.
class PixelOrder {
 public:
  PixelOrder() = default;
  template <class T>
  explicit PixelOrder(const View<T>& view) : pixels_(view.pixels()), image_(view.h * view.w), row_(view.w) {}

  __host__ __device__ int pixels() const { return pixels_; }
  /// The pixel of an index, as View::pixel numbers them.
  __device__ int pixel(int index) const { return index; }
  __device__ PixelPosition position(int index) const {
    const int image = image_.quotient(index);
    const int rest = image_.remainder(index, image);
    const int row = row_.quotient(rest);
    return {image, row, row_.remainder(rest, row)};
  }

 private:
  int pixels_ = 0;
  Divisor image_, row_;
};

/// The taps of a convolution as an index of a product: (r, s, channel), channels innermost, as weights lie in memory.
class TapOrder {
 public:
  TapOrder() = default;
  TapOrder(int taps_h, int taps_w, int channels) : count_(taps_h * taps_w * channels), s_(taps_w), channel_(channels) {}

  struct Position {
    int r, s, channel;
  };
  __host__ __device__ int count() const { return count_; }
  __host__ __device__ int channels() const { return channel_.value(); }
  __host__ __device__ int taps_w() const { return s_.value(); }
  __device__ Position position(int index) const {
    const int tap = channel_.quotient(index);
    const int r = s_.quotient(tap);
    return {r, s_.remainder(tap, r), channel_.remainder(index, tap)};
  }

 private:
  int count_ = 0;
  Divisor s_, channel_;
};

/// Stands for a row of an image that does not exist. Sums of it and a tap, an extent, or kNoTap lie outside of any
/// image.
inline constexpr int kNoRow = -(1 << 30);
inline constexpr int kNoTap = 1 << 29;

__device__ inline bool inside(int row, int extent) {
  return static_cast<unsigned>(row) < static_cast<unsigned>(extent);
}

/// A matrix of lines in memory, `stride` elements apart. kInner: a line is an index of m or n and runs along k (weights
/// forward, pixels of a 1x1 convolution). Otherwise a line is an index of k and runs along m or n.
template <class T, int kVector, bool kInner>
struct Matrix {
  using Element = T;
  static constexpr int V = kVector;
  static constexpr bool k_inner = kInner;
  /// Offset of the element, negative if there is none.
  using Outer = int;
  using Inner = int;

  const T* data;
  int outers, inners;  ///< extents: of m or n, and of k
  int stride;

  __device__ Outer outer(int index) const { return index < outers ? (kInner ? index * stride : index) : -1; }
  __device__ Inner inner(int k) const { return k < inners ? (kInner ? k : k * stride) : -1; }
  __device__ const T* find(Outer o, Inner i) const { return (o | i) >= 0 ? data + (o + i) : nullptr; }
};

/// The pixels of a view (one per index of m; k runs over channels), or its transpose (k runs over pixels).
template <int V, bool k_inner, class T>
Matrix<T, V, k_inner> pixel_matrix(const View<const T>& view) {
  const int pixels = view.pixels();
  return {view.data, k_inner ? pixels : view.c, k_inner ? view.c : pixels, view.stride};
}

/// Where the window of an output pixel lies: x[p * stride.h + r - padding.h][q * stride.w + s - padding.w].
struct WindowPlace {
  int stride_h, stride_w, padding_h, padding_w;

  explicit WindowPlace(const Conv2dAttributes& attributes)
      : stride_h(static_cast<int>(attributes.stride.h)),
        stride_w(static_cast<int>(attributes.stride.w)),
        padding_h(static_cast<int>(attributes.padding.h)),
        padding_w(static_cast<int>(attributes.padding.w)) {}
};

/// Whether a convolution with these attributes and weights multiplies each pixel by one matrix: a group of one
/// (conv2d_1x1_group), which needs no windows.
inline bool is_pointwise(const Conv2dAttributes& attributes, const Tensor& w) {
  return w.h() == 1 && w.w() == 1 && attributes.stride == Extent2d{1, 1} && attributes.padding == Extent2d{0, 0};
}

/// x as a convolution reads it: a row per output pixel, a column per tap and channel. Rows are the `outer` index and
/// taps are k (forward), or, `kAcross`, taps are the `outer` index and k runs over output pixels (backward weights).
/// Either way neighbours in memory are channels of one tap.
template <class T, int kVector, bool kAcross>
struct WindowsOf {
  using Element = T;
  static constexpr int V = kVector;
  static constexpr bool k_inner = !kAcross;

  View<const T> x;
  WindowPlace place;
  PixelOrder outputs;
  TapOrder taps;

  struct Part {
    int offset, row, column;
  };
  using Outer = Part;
  using Inner = Part;

  __device__ Part corner(int index) const {
    if (index >= outputs.pixels()) return {0, kNoRow, 0};
    const PixelPosition at = outputs.position(index);
    const int row = at.row * place.stride_h - place.padding_h;
    const int column = at.column * place.stride_w - place.padding_w;
    return {((at.image * x.h + row) * x.w + column) * x.stride, row, column};
  }
  __device__ Part tap(int index) const {
    if (index >= taps.count()) return {0, kNoTap, 0};
    const TapOrder::Position at = taps.position(index);
    return {(at.r * x.w + at.s) * x.stride + at.channel, at.r, at.s};
  }
  __device__ Part outer(int index) const {
    if constexpr (kAcross) return tap(index);
    return corner(index);
  }
  __device__ Part inner(int k) const {
    if constexpr (kAcross) return corner(k);
    return tap(k);
  }
  __device__ const T* find(const Part& a, const Part& b) const {
    const bool valid = inside(a.row + b.row, x.h) && inside(a.column + b.column, x.w);
    return valid ? x.data + (a.offset + b.offset) : nullptr;
  }
};
template <class T, int V>
using Windows = WindowsOf<T, V, false>;
template <class T, int V>
using WindowsAcross = WindowsOf<T, V, true>;

/// dy as the gradient of x reads it: a row per input pixel (h, w), k over (r, s, o). Output row p reaches h by tap r if
/// p * stride.h = h + padding.h - r.
template <class T, int kVector>
struct Spread {
  using Element = T;
  static constexpr int V = kVector;
  static constexpr bool k_inner = true;

  View<const T> dy;
  WindowPlace place;
  PixelOrder inputs;
  TapOrder taps;  ///< channels: those of dy
  Divisor stride_h, stride_w;

  struct Outer {
    int image, row, column;  // image: the offset of its first element; row and column: h + padding.h, w + padding.w
  };
  struct Inner {
    int r, s, channel;
  };

  Spread(const View<const T>& gradient, const Conv2dAttributes& attributes, const PixelOrder& order,
         const TapOrder& tap_order)
      : dy(gradient),
        place(attributes),
        inputs(order),
        taps(tap_order),
        stride_h(place.stride_h),
        stride_w(place.stride_w) {}

  __device__ Outer outer(int index) const {
    if (index >= inputs.pixels()) return {0, kNoRow, 0};
    const PixelPosition at = inputs.position(index);
    return {at.image * dy.h * dy.w * dy.stride, at.row + place.padding_h, at.column + place.padding_w};
  }
  __device__ Inner inner(int k) const {
    if (k >= taps.count()) return {kNoTap, 0, 0};
    const TapOrder::Position at = taps.position(k);
    return {at.r, at.s, at.channel};
  }
  __device__ const T* find(const Outer& o, const Inner& i) const {
    int row = o.row - i.r;
    int column = o.column - i.s;
    if (row < 0 || column < 0) return nullptr;
    if (place.stride_h > 1) {
      const int p = stride_h.quotient(row);
      if (stride_h.remainder(row, p) != 0) return nullptr;
      row = p;
    }
    if (place.stride_w > 1) {
      const int q = stride_w.quotient(column);
      if (stride_w.remainder(column, q) != 0) return nullptr;
      column = q;
    }
    if (row >= dy.h || column >= dy.w) return nullptr;
    return dy.data + (o.image + (row * dy.w + column) * dy.stride + i.channel);
  }
};

/// Weights (O, R, S, I) with k over (r, s, o) and n over i.
template <int kVector>
struct Filters {
  using Element = float;
  static constexpr int V = kVector;
  static constexpr bool k_inner = false;
  using Outer = int;
  using Inner = int;

  const float* data;
  int in_channels;
  TapOrder taps;  ///< channels: O
  int filter;     ///< elements of one filter: R * S * I

  __device__ Outer outer(int index) const { return index < in_channels ? index : -1; }
  __device__ Inner inner(int k) const {
    if (k >= taps.count()) return -1;
    const TapOrder::Position at = taps.position(k);
    return at.channel * filter + (at.r * taps.taps_w() + at.s) * in_channels;
  }
  __device__ const float* find(Outer o, Inner i) const { return (o | i) >= 0 ? data + (o + i) : nullptr; }
};

}  // namespace minception::cuda
