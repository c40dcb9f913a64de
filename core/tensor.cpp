#include "core/tensor.h"

namespace minception {

Tensor::Tensor(Shape dense_shape, DType type, void* memory, Device where)
    : data(memory), dtype(type), device(where), shape(dense_shape) {
  if (is_image()) pixel_stride = shape[1];
}

std::size_t Tensor::bytes() const {
  if (!defined() || elements() == 0) return 0;
  const std::int64_t count = is_image() ? (pixels() - 1) * pixel_stride + c() : elements();
  return static_cast<std::size_t>(count) * size_of(dtype);
}

Tensor Tensor::channels(std::int64_t begin, std::int64_t count) const {
  require(is_image() && begin >= 0 && count >= 1 && begin + count <= c(), "channels ", begin, " to ", begin + count,
          " of a tensor ", shape, " do not exist");
  Tensor slice = *this;
  slice.shape[1] = count;
  const std::size_t skipped = static_cast<std::size_t>(begin) * size_of(dtype);
  slice.offset += skipped;
  if (slice.data != nullptr) slice.data = static_cast<std::byte*>(slice.data) + skipped;
  return slice;
}

Tensor Tensor::first(std::int64_t count) const {
  require(defined() && count >= 0 && count <= shape[0], "the first ", count, " samples of a tensor ", shape,
          " do not exist");
  Tensor part = *this;
  part.shape[0] = count;
  return part;
}

Tensor Tensor::reshaped(const Shape& other) const {
  require(dense() && other.elements() == elements(), "a tensor ", shape, dense() ? "" : " with gaps",
          " cannot be viewed as ", other);
  Tensor view = *this;
  view.shape = other;
  view.pixel_stride = view.is_image() ? other[1] : 0;
  return view;
}

}  // namespace minception
