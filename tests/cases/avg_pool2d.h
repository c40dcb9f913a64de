#pragma once
/// Cases of avg_pool2d.

#include "tests/cases/pool2d.h"

namespace minception {

inline std::vector<Case> avg_pool2d_cases() {
  using namespace cases;
  std::vector<Case> table;
  std::vector<PoolShape> shapes = pool_shapes();
  shapes.push_back({"more than 256 filter positions", {1, 8, 20, 18}, {{17, 17}, {2, 1}, {8, 2}}});
  for (PoolShape s : shapes) {
    for (const bool count_include_pad : {true, false}) {
      s.attributes.count_include_pad = count_include_pad;
      const Shape y = pool_output(s);
      const std::string name = std::string(s.name) + (count_include_pad ? "" : ", padding not counted");
      for (const Layout layout : {Layout::dense, Layout::sliced}) {
        AvgPool2dForward op;
        op.attributes = s.attributes;
        op.x = image(s.x, layout, 8, 16);
        op.y = image(y, layout, 16, 3);
        table.push_back({name + (layout == Layout::sliced ? ", slices" : ""), op});
      }
      for (const TargetVariant& v : target_variants()) {
        AvgPool2dBackward op;
        op.attributes = s.attributes;
        op.dy = image(y, v.layout, 16, 3);
        op.target = grad_target(s.x, v.target, v.layout);
        const bool gaps = s.attributes.stride.h > s.attributes.kernel.h;
        table.push_back({name + ", " + v.name, op, gaps && !op.target.accumulate});
      }
    }
  }
  return table;
}

}  // namespace minception
