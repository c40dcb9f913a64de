#pragma once
/// Cases of adaptive_avg_pool2d.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> adaptive_avg_pool2d_cases() {
  using namespace cases;
  struct AdaptiveShape {
    const char* name;
    Shape x;
    std::int64_t p, q;
  };
  const AdaptiveShape shapes[] = {
      {"to one pixel", {2, 1024, 3, 3}, 1, 1},
      {"auxiliary head, 6 to 4", {2, 64, 6, 6}, 4, 4},
      {"auxiliary head, 2 to 4", {2, 64, 2, 2}, 4, 4},
      {"one pixel to 4x4", {2, 48, 1, 1}, 4, 4},
      {"alexnet, 13 to 6", {2, 16, 13, 13}, 6, 6},
      {"rectangular, odd", {3, 13, 5, 7}, 2, 3},
      {"same size", {1, 8, 4, 4}, 4, 4},
      {"one channel", {2, 1, 5, 4}, 3, 3},
  };
  std::vector<Case> table;
  for (const AdaptiveShape& s : shapes) {
    const Shape y = {s.x[0], s.x[1], s.p, s.q};
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      AdaptiveAvgPool2dForward op;
      op.x = image(s.x, layout, 8, 16);
      op.y = image(y, layout, 16, 3);
      table.push_back({std::string(s.name) + (layout == Layout::sliced ? ", slices" : ""), op});
    }
    for (const TargetVariant& v : target_variants()) {
      AdaptiveAvgPool2dBackward op;
      op.dy = image(y, v.layout, 16, 3);
      op.target = grad_target(s.x, v.target, v.layout);
      table.push_back({std::string(s.name) + ", " + v.name, op});
    }
  }
  return table;
}

}  // namespace minception
