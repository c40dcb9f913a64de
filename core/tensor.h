#pragma once
/// A view of memory as a tensor. Images are (N, C, H, W) in every shape and channels-last (N, H, W, C) in memory.

#include <minception/core/device.h>
#include <minception/core/dtype.h>
#include <minception/core/error.h>
#include <minception/core/shape.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace minception {

/// A non-owning view; copying it copies no elements.
///
/// Element (n, c, h, w) of a rank-4 tensor lies at ((n*H + h)*W + w) * pixel_stride + c. A dense tensor has
/// pixel_stride == C; a channel slice (see `channels`) keeps the pixel stride of the tensor it was cut from.
/// The same rule places weights: (O, I, KH, KW) lies in memory as (O, KH, KW, I). Rank 2, (N, C), is an image of one
/// pixel; rank 1 and everything else is dense and row-major.
///
/// A tensor without `data` is a description: planning works on descriptions, running on the same tensors with data.
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  Device device;
  Shape shape;
  std::int64_t pixel_stride = 0;  ///< in elements; 0 for ranks other than 2 and 4

  /// Which planned storage the tensor is a view of, and from which byte on; -1 outside of a plan.
  int storage = -1;
  std::size_t offset = 0;

  Tensor() = default;
  Tensor(Shape dense_shape, DType type, void* memory = nullptr, Device where = {});

  bool defined() const { return shape.rank() > 0; }
  bool is_image() const { return shape.rank() == 2 || shape.rank() == 4; }
  /// No gaps between pixels.
  bool dense() const { return !is_image() || pixel_stride == shape[1]; }

  std::int64_t n() const { return shape.extent_or_1(0); }
  std::int64_t c() const { return shape.extent_or_1(1); }
  std::int64_t h() const { return shape.extent_or_1(2); }
  std::int64_t w() const { return shape.extent_or_1(3); }
  std::int64_t pixels() const { return n() * h() * w(); }
  std::int64_t elements() const { return shape.elements(); }
  /// Bytes from the first element to the end of the last pixel.
  std::size_t bytes() const;

  /// The same pixels, channels [begin, begin + count) only. Throws Error if the range is not inside.
  Tensor channels(std::int64_t begin, std::int64_t count) const;
  /// The first `count` of N: a partial batch. Throws Error if there are fewer.
  Tensor first(std::int64_t count) const;
  /// The same elements in another shape of as many elements; the tensor must be dense.
  Tensor reshaped(const Shape& other) const;

  /// The elements, with the type checked (Error if `T` is not the dtype).
  template <class T>
  T* as() const {
    require(dtype == dtype_of<std::remove_const_t<T>>::value, "a tensor ", shape, " of ", name_of(dtype),
            " was read as ", name_of(dtype_of<std::remove_const_t<T>>::value));
    return static_cast<T*>(data);
  }
};

}  // namespace minception
