#pragma once
/// Shapes and windows shared by max_pool2d and avg_pool2d: the pools of GoogLeNet, and edge cases.

#include "tests/cases/case.h"

namespace minception::cases {

struct PoolShape {
  const char* name;
  Shape x;
  Pool2dAttributes attributes;
};

inline std::vector<PoolShape> pool_shapes() {
  return {
      {"pool1 3x3 stride 2 padding 1", {2, 64, 16, 16}, {{3, 3}, {2, 2}, {1, 1}}},
      {"pool1 3x3 stride 2 ceil", {2, 64, 16, 16}, {{3, 3}, {2, 2}, {0, 0}, true}},
      {"pool3 3x3 stride 2 floor", {2, 48, 7, 7}, {{3, 3}, {2, 2}, {0, 0}, false}},
      {"inception branch 3x3 stride 1", {2, 192, 4, 4}, {{3, 3}, {1, 1}, {1, 1}}},
      {"inception branch on 2x2", {2, 96, 2, 2}, {{3, 3}, {1, 1}, {1, 1}}},
      {"inception branch on one pixel", {2, 96, 1, 1}, {{3, 3}, {1, 1}, {1, 1}}},
      {"2x2 stride 2 ceil, odd image", {2, 32, 5, 7}, {{2, 2}, {2, 2}, {0, 0}, true}},
      {"auxiliary 5x5 stride 3", {2, 40, 8, 8}, {{5, 5}, {3, 3}, {0, 0}}},
      {"ceil and padding", {2, 16, 6, 9}, {{3, 3}, {2, 2}, {1, 1}, true}},
      {"ceil reaches beyond the padding", {2, 16, 5, 5}, {{4, 4}, {3, 3}, {1, 1}, true}},
      {"last window dropped", {2, 16, 4, 4}, {{2, 2}, {3, 3}, {1, 1}, true}},
      {"stride beyond the kernel", {2, 16, 9, 9}, {{2, 2}, {3, 3}, {0, 0}}},
      {"rectangular", {2, 24, 5, 9}, {{1, 3}, {1, 2}, {0, 1}}},
      {"odd channels, odd batch", {3, 13, 6, 5}, {{3, 2}, {2, 1}, {1, 0}}},
      {"one channel, batch 1", {1, 1, 8, 8}, {{3, 3}, {2, 2}, {1, 1}}},
      {"kernel 1x1", {2, 16, 4, 4}, {{1, 1}, {1, 1}, {0, 0}}},
  };
}

inline Shape pool_output(const PoolShape& s) {
  const auto& a = s.attributes;
  return {s.x[0], s.x[1], pooled_extent(s.x[2], a.kernel.h, a.stride.h, a.padding.h, a.ceil_mode),
          pooled_extent(s.x[3], a.kernel.w, a.stride.w, a.padding.w, a.ceil_mode)};
}

}  // namespace minception::cases
