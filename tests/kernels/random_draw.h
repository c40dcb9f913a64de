#pragma once
/// Random numbers for random cases: sizes, layouts, parameter groups.

#include "core/random.h"
#include "tests/cases/case.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace minception::cases {

inline constexpr std::int64_t kMostChannels = 70;
inline constexpr std::int64_t kMostBatch = 9;
inline constexpr std::int64_t kMostElements = 60'000;     // per image
inline constexpr std::int64_t kMostProducts = 6'000'000;  // `reference` computes them one by one

/// Random numbers of one case.
class Draw {
 public:
  Draw(std::uint64_t seed, std::uint64_t index) : random_{seed, index} {}

  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + random_.bits(next_++) % static_cast<std::uint32_t>(most - least + 1);
  }
  bool chance(double probability) { return random_.uniform(next_++) < probability; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[between(0, static_cast<std::int64_t>(values.size()) - 1)];
  }

  std::int64_t channels() {
    if (chance(0.2)) return between(1, 4);
    if (chance(0.25)) return 8 * between(1, kMostChannels / 8);
    return between(1, kMostChannels);
  }
  Extent2d pixels() {
    if (chance(0.1)) return {1, between(1, 300)};
    if (chance(0.1)) return {1, 1};
    const std::int64_t most = one_of<std::int64_t>({5, 12, 30});
    return {between(1, most), between(1, most)};
  }
  Shape image_shape() {
    for (;;) {
      const Extent2d size = pixels();
      const Shape shape = {between(1, kMostBatch), channels(), size.h, size.w};
      if (shape.elements() <= kMostElements) return shape;
    }
  }
  /// Sometimes rank 2, (N, C).
  Shape any_image_shape() {
    const Shape shape = image_shape();
    return chance(0.15) ? Shape{shape[0], shape[1] * shape[2] * shape[3] % 500 + 1} : shape;
  }
  /// Sometimes a channel slice.
  Tensor image(Shape shape) { return chance(0.35) ? slice(shape, between(0, 20), between(0, 20)) : dense(shape); }
  Tensor bf16_or_f32(Shape shape) {
    Tensor tensor = image(shape);
    if (chance(0.5)) tensor.dtype = DType::bf16;
    return tensor;
  }
  Tensor optional_vector(std::int64_t length) { return chance(0.5) ? dense(Shape{length}) : Tensor(); }
  GradTarget target(Shape shape) {
    GradTarget target;
    target.dx = image(shape);
    target.accumulate = chance(0.4);
    if (chance(0.4)) target.relu_output = image(shape);
    return target;
  }
  std::vector<ParameterGroup> groups(std::int64_t length) {
    std::vector<ParameterGroup> groups;
    for (std::int64_t end = 0; end < length;) {
      const std::int64_t begin = std::min(length, end + (chance(0.3) ? between(0, 40) : 0));
      end = std::min(length, begin + between(0, chance(0.5) ? 30 : length));
      groups.push_back({begin, end - begin, chance(0.5) ? 1.0 : 0.25 * static_cast<double>(between(1, 8)),
                        chance(0.5) ? 0.0 : 0.01 * static_cast<double>(between(1, 9)), chance(0.85)});
      if (groups.size() >= 30) break;
    }
    return groups;
  }
  std::int64_t length() { return chance(0.3) ? between(1, 20) : between(1, 20'000); }

 private:
  Random random_;
  std::uint64_t next_ = 0;
};

}  // namespace minception::cases
