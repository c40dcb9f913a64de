#pragma once
/// Cases of max_pool2d.

#include "tests/cases/pool2d.h"

namespace minception {

inline std::vector<Case> max_pool2d_cases() {
  using namespace cases;
  std::vector<Case> table;
  std::vector<PoolShape> shapes = pool_shapes();
  shapes.push_back({"256 filter positions", {1, 8, 20, 18}, {{16, 16}, {2, 1}, {8, 2}}});
  for (const PoolShape& s : shapes) {
    const Shape y = pool_output(s);
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      for (const bool inference : {false, true}) {
        MaxPool2dForward op;
        op.attributes = s.attributes;
        op.x = image(s.x, layout, 8, 16);
        op.y = image(y, layout, 16, 3);
        if (!inference) op.argmax = dense(y, DType::u8);
        table.push_back(
            {std::string(s.name) + (layout == Layout::sliced ? ", slices" : "") + (inference ? ", without argmax" : ""),
             op});
      }
    }
    for (const TargetVariant& v : target_variants()) {
      MaxPool2dBackward op;
      op.attributes = s.attributes;
      op.dy = image(y, v.layout, 16, 3);
      op.argmax = dense(y, DType::u8);
      op.target = grad_target(s.x, v.target, v.layout);
      // Few pixels are maxima: without accumulation the rest of dx is zero.
      table.push_back({std::string(s.name) + ", " + v.name, op, !op.target.accumulate});
    }
  }
  return table;
}

}  // namespace minception
