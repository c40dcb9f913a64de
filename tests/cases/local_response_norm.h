#pragma once
/// Cases of local_response_norm.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> local_response_norm_cases() {
  using namespace cases;
  struct NormShape {
    const char* name;
    Shape x;
    LocalResponseNormAttributes attributes;
  };
  // With alpha = 1e-4 the norm is close to k: only cases with a large alpha expose errors.
  const NormShape shapes[] = {
      {"googlenet", {2, 64, 8, 8}, {5, 1e-4, 0.75, 1.0}},
      {"large alpha", {2, 64, 4, 4}, {5, 2.0, 0.75, 1.0}},
      {"alexnet", {2, 96, 5, 5}, {5, 0.3, 0.75, 2.0}},
      {"even window", {2, 24, 3, 3}, {4, 2.0, 0.5, 1.0}},
      {"window of one", {2, 16, 3, 3}, {1, 2.0, 0.75, 1.0}},
      {"window wider than the channels", {2, 6, 3, 3}, {9, 2.0, 0.75, 1.0}},
      {"odd channels, odd batch", {3, 13, 5, 2}, {3, 2.0, 1.0, 1.5}},
      {"one channel, one pixel", {8, 1, 1, 1}, {5, 2.0, 0.75, 1.0}},
  };
  std::vector<Case> table;
  for (const NormShape& s : shapes) {
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      LocalResponseNormForward op;
      op.attributes = s.attributes;
      op.x = image(s.x, layout, 8, 16);
      op.y = image(s.x, layout, 16, 3);
      table.push_back({std::string(s.name) + (layout == Layout::sliced ? ", slices" : ""), op});
    }
    for (const TargetVariant& v : target_variants()) {
      LocalResponseNormBackward op;
      op.attributes = s.attributes;
      op.x = image(s.x, v.layout, 8, 16);
      op.dy = image(s.x, v.layout, 16, 3);
      op.target = grad_target(s.x, v.target, v.layout);
      table.push_back({std::string(s.name) + ", " + v.name, op, s.x.elements() < 16});
    }
  }
  return table;
}

}  // namespace minception
