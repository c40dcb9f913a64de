#pragma once
/// Cases of a custom operation.

#include "tests/cases/case.h"
#include "tests/kernels/swish.h"

namespace minception {

inline std::vector<Case> custom_cases() {
  using namespace cases;
  std::vector<Case> table;
  const std::pair<const char*, Shape> shapes[] = {
      {"block", {2, 24, 7, 7}}, {"odd channels, odd batch", {3, 13, 5, 7}}, {"rank 2", {3, 37}}};
  for (const auto& [name, shape] : shapes) {
    const Tensor w = dense(Shape{shape[1]});
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      table.push_back({std::string(name) + (layout == Layout::sliced ? ", slices" : ""),
                       swish_forward(image(shape, layout, 8, 16), w, image(shape, layout, 16, 3))});
    }
    table.push_back({std::string(name) + ", in place", swish_forward(shared(0, shape), w, shared(0, shape))});
    for (const TargetVariant& v : target_variants()) {
      Custom op = swish_backward(image(shape, v.layout, 4, 4), w, image(shape, v.layout, 16, 3), w,
                                 grad_target(shape, v.target, v.layout));
      op.accumulate = v.target == Target::accumulate || v.target == Target::mask;
      table.push_back({std::string(name) + ", " + v.name, op});
    }
    table.push_back(
        {std::string(name) + ", in place", swish_backward(dense(shape), w, shared(0, shape), w, {shared(0, shape)})});
  }
  return table;
}

}  // namespace minception
