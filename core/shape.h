#pragma once
/// Tensor shapes. In user-visible shapes, images are (N, C, H, W).

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>

namespace minception {

/// Height and width. One number stands for both: `.kernel = 3` is `.kernel = {3, 3}`.
struct Extent2d {
  std::int64_t h = 1;
  std::int64_t w = 1;

  constexpr Extent2d() = default;
  constexpr Extent2d(std::int64_t both) : h(both), w(both) {}
  constexpr Extent2d(std::int64_t height, std::int64_t width) : h(height), w(width) {}
  bool operator==(const Extent2d&) const = default;
};

/// Up to `max_rank` extents, each >= 0. Rank 0 is a scalar in a file and an undefined tensor in memory.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents)
      : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  std::int64_t& operator[](int axis) { return extents_[static_cast<std::size_t>(axis)]; }
  std::int64_t elements() const;
  /// Extent of an axis, or 1 if the shape has no such axis: (N, C) reads as (N, C, 1, 1).
  std::int64_t extent_or_1(int axis) const { return axis < rank_ ? (*this)[axis] : 1; }

  bool operator==(const Shape&) const = default;
  /// "[1,64,24,24]"
  std::string to_string() const;

 private:
  std::array<std::int64_t, max_rank> extents_{};
  int rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// Parses a shape such as "1x96x96": 1 to `max_rank` extents, each at least 1, at most 2^40 elements. Throws Error
/// otherwise.
Shape parse_shape(const std::string& text);

}  // namespace minception
