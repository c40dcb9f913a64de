#include "core/shape.h"
#include "core/error.h"

#include <charconv>
#include <ostream>

namespace minception {

Shape::Shape(std::span<const std::int64_t> extents) {
  require(extents.size() <= max_rank, "a shape of ", extents.size(), " extents: at most ", max_rank, " are supported");
  for (std::int64_t extent : extents) {
    require(extent >= 0, "a shape with the negative extent ", extent);
    extents_[static_cast<std::size_t>(rank_++)] = extent;
  }
}

std::int64_t Shape::elements() const {
  std::int64_t count = 1;
  for (int axis = 0; axis < rank_; ++axis) count *= (*this)[axis];
  return count;
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis > 0) text += ',';
    text += std::to_string((*this)[axis]);
  }
  return text + "]";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.to_string(); }

Shape parse_shape(const std::string& text) {
  Shape shape;
  std::array<std::int64_t, Shape::max_rank> extents{};
  std::size_t rank = 0;
  std::int64_t elements = 1;
  const char* begin = text.data();
  const char* const end = begin + text.size();
  for (;;) {
    std::int64_t extent = 0;
    const auto [next, status] = std::from_chars(begin, end, extent);
    require(status == std::errc() && extent >= 1 && rank < Shape::max_rank && (next == end || *next == 'x'), "'", text,
            "' is not a shape: write positive extents with x between them, such as 1x96x96");
    constexpr std::int64_t kMost = std::int64_t{1} << 40;  // above any memory size, below overflow
    elements = extent <= kMost / elements ? elements * extent : kMost + 1;
    require(elements <= kMost, "'", text, "' has more than 2^40 elements; use smaller extents");
    extents[rank++] = extent;
    if (next == end) return Shape(std::span<const std::int64_t>(extents.data(), rank));
    begin = next + 1;
  }
}

}  // namespace minception
