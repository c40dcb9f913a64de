/// Gathers samples of a resident u8 data set, resizes them bilinearly, augments and normalises them.

#include "kernels/cpu/backend.h"
#include "kernels/cpu/view.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace minception {
namespace {

using namespace cpu;

/// The two input indices that an output index interpolates, and the weight of the second.
struct Sample {
  std::int64_t first, second;
  float weight;

  /// Output `index` of `out`, from the `in` input indices from `begin` on.
  Sample(std::int64_t index, std::int64_t begin, std::int64_t in, std::int64_t out) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    const double position =
        std::clamp((static_cast<double>(index) + 0.5) * scale - 0.5, 0.0, static_cast<double>(in - 1));
    const auto before = static_cast<std::int64_t>(position);
    first = begin + before;
    second = begin + std::min(before + 1, in - 1);
    weight = static_cast<float>(position - static_cast<double>(before));
  }
};

}  // namespace

void CpuBackend::load_batch(const LoadBatch& op, Workspace) {
  in_dtype_of(op.y, [&]<class T>(T) {
    const auto* images = op.images.as<const std::uint8_t>();
    const auto* labels = op.labels.as<const std::int32_t>();
    const auto* indices = op.indices.as<const std::int32_t>();
    auto* out_labels = op.y_labels.as<std::int32_t>();
    const View<T> y = view<T>(op.y);
    const std::int64_t h = op.images.h();
    const std::int64_t w = op.images.w();
    for (std::int64_t n = 0; n < y.n; ++n) {
      require(indices[n] >= 0 && indices[n] < op.images.n(), "load_batch: index ", indices[n], " of sample ", n,
              " is not in [0, ", op.images.n(), ")");
      out_labels[n] = labels[indices[n]];
    }
    const auto* position = op.position.defined() ? op.position.as<const std::int64_t>() : nullptr;
    const bool one_scale = op.scale.size() == 1;
    const bool one_shift = op.shift.size() == 1;
    parallel(threads_, y.n * y.h, y.elements(), [&](std::int64_t begin, std::int64_t end, int) {
      for (; begin < end; ++begin) {
        const std::uint8_t* image = images + indices[begin / y.h] * h * w * y.c;
        const auto [moved, part, colour] =
            op.augmentation.draw(position, begin / y.h, static_cast<int>(h), static_cast<int>(w));
        const bool recoloured = colour.changes();
        const std::int64_t p = moved.row(static_cast<int>(begin % y.h));
        const Sample row(p, part.top, part.height, y.h);
        const std::uint8_t* above = image + row.first * w * y.c;
        const std::uint8_t* below = image + row.second * w * y.c;
        for (std::int64_t j = 0; j < y.w; ++j) {
          const std::int64_t q = moved.column(static_cast<int>(j), static_cast<int>(y.w));
          const bool inside = p >= 0 && p < y.h && q >= 0 && q < y.w;
          const Sample column(q, part.left, part.width, y.w);
          const std::int64_t left = column.first * y.c;
          const std::int64_t right = column.second * y.c;
          T* out = y.pixel(begin * y.w + j);
          const auto resized = [&](std::int64_t c) {
            const auto mix = [&](const std::uint8_t* line) {
              const float at_left = line[left + c];
              return at_left + (line[right + c] - at_left) * column.weight;
            };
            const float top = mix(above);
            return inside ? top + (mix(below) - top) * row.weight : 0.0f;
          };
          const float grey = colour.saturation != 1.0f ? ColourJitter::grey(resized(0), resized(1), resized(2)) : 0.0f;
          for (std::int64_t c = 0; c < y.c; ++c) {
            const float value = recoloured ? colour.of(resized(c), grey) : resized(c);
            const auto channel = static_cast<std::size_t>(c);
            round_into(out[c], value * op.scale[one_scale ? 0 : channel] + op.shift[one_shift ? 0 : channel]);
          }
        }
      }
    });
  });
}

}  // namespace minception
