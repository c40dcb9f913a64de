#pragma once
/// Tensor views of memory. Image shapes are (N, C, H, W); the memory layout is channels-last, (N, H, W, C).

#include "core/device.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/shape.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace minception {

/// A non-owning view; copying it copies no elements.
///
/// Element (n, c, h, w) of a rank-4 tensor is at index ((n*H + h)*W + w) * pixel_stride + c. A dense tensor has
/// pixel_stride == C; a channel slice (see `channels`) keeps the pixel stride of its source. Weights follow the same
/// rule: shape (O, I, KH, KW), memory layout (O, KH, KW, I). Rank 2, (N, C), is an image of one pixel. All other ranks
/// are dense and row-major.
///
/// A tensor without `data` is a description. Planning uses descriptions; execution uses the same tensors with data.
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  Device device;
  Shape shape;
  std::int64_t pixel_stride = 0;  ///< in elements; 0 for ranks other than 2 and 4

  /// Index of the planned storage that the tensor views (-1: none), and the byte offset in it.
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

  /// View of channels [begin, begin + count) of all pixels. Throws Error if the range is out of bounds.
  Tensor channels(std::int64_t begin, std::int64_t count) const;
  /// View of the first `count` entries of axis 0, such as a partial batch. Throws Error if there are fewer.
  Tensor first(std::int64_t count) const;
  /// View in another shape. Throws Error if the tensor is not dense or the element counts differ.
  Tensor reshaped(const Shape& other) const;

  /// Typed pointer to the elements. Throws Error if `T` does not match the dtype.
  template <class T>
  T* as() const {
    require(dtype == dtype_of<std::remove_const_t<T>>::value, "a tensor ", shape, " of ", name_of(dtype),
            " cannot be read as ", name_of(dtype_of<std::remove_const_t<T>>::value));
    return static_cast<T*>(data);
  }
};

}  // namespace minception
