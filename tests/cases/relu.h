#pragma once
/// Cases of relu.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> relu_cases() {
  using namespace cases;
  std::vector<Case> table;
  const std::pair<const char*, Shape> shapes[] = {
      {"inception3a", {2, 256, 4, 4}},         {"stem", {1, 64, 16, 16}}, {"odd channels, odd batch", {3, 13, 5, 7}},
      {"one pixel per image", {4, 100, 1, 1}}, {"rank 2", {3, 37}},
  };
  for (const auto& [name, shape] : shapes) {
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      ReluForward op;
      op.x = image(shape, layout, 8, 16);
      op.y = image(shape, layout, 16, 3);
      table.push_back({std::string(name) + (layout == Layout::sliced ? ", slices" : ""), op});
    }
    ReluForward in_place;
    in_place.x = in_place.y = shared(0, shape);
    table.push_back({std::string(name) + ", in place", in_place});

    for (const TargetVariant& v : target_variants()) {
      ReluBackward op;
      op.y = image(shape, v.layout, 4, 4);
      op.dy = image(shape, v.layout, 16, 3);
      op.target = grad_target(shape, v.target, v.layout);
      // Both masks together zero about half of the gradient.
      table.push_back({std::string(name) + ", " + v.name, op, v.target == Target::mask});
    }
    ReluBackward backward_in_place;
    backward_in_place.y = dense(shape);
    backward_in_place.dy = backward_in_place.target.dx = shared(0, shape);
    table.push_back({std::string(name) + ", in place", backward_in_place});
  }
  return table;
}

}  // namespace minception
