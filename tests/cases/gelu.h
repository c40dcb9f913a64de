#pragma once
/// Cases of gelu.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> gelu_cases() {
  using namespace cases;
  std::vector<Case> table;
  const std::pair<const char*, Shape> shapes[] = {
      {"mobile block", {2, 96, 7, 7}}, {"odd channels, odd batch", {3, 13, 5, 7}}, {"rank 2", {3, 37}}};
  for (const auto& [name, shape] : shapes) {
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      GeluForward op;
      op.x = image(shape, layout, 8, 16);
      op.y = image(shape, layout, 16, 3);
      table.push_back({std::string(name) + (layout == Layout::sliced ? ", slices" : ""), op});
    }
    GeluForward in_place;
    in_place.x = in_place.y = shared(0, shape);
    table.push_back({std::string(name) + ", in place", in_place});

    for (const TargetVariant& v : target_variants()) {
      GeluBackward op;
      op.x = image(shape, v.layout, 4, 4);
      op.dy = image(shape, v.layout, 16, 3);
      op.target = grad_target(shape, v.target, v.layout);
      table.push_back({std::string(name) + ", " + v.name, op});
    }
    GeluBackward backward_in_place;
    backward_in_place.x = dense(shape);
    backward_in_place.dy = backward_in_place.target.dx = shared(0, shape);
    table.push_back({std::string(name) + ", in place", backward_in_place});
  }
  return table;
}

}  // namespace minception
