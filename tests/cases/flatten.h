#pragma once
/// Cases of flatten.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> flatten_cases() {
  using namespace cases;
  const std::pair<const char*, Shape> shapes[] = {
      {"auxiliary head", {2, 128, 4, 4}}, {"vgg", {1, 64, 7, 7}}, {"one pixel", {3, 64, 1, 1}},
      {"one channel", {2, 1, 5, 6}},      {"odd", {3, 13, 3, 5}},
  };
  std::vector<Case> table;
  for (const auto& [name, x] : shapes) {
    const Shape y = {x[0], x[1] * x[2] * x[3]};
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      FlattenForward op;
      op.x = image(x, layout, 8, 16);
      op.y = dense(y);
      table.push_back({std::string(name) + (layout == Layout::sliced ? ", slices" : ""), op});
    }
    for (const TargetVariant& v : target_variants()) {
      FlattenBackward op;
      op.dy = dense(y);
      op.target = grad_target(x, v.target, v.layout);
      table.push_back({std::string(name) + ", " + v.name, op});
    }
  }
  return table;
}

}  // namespace minception
