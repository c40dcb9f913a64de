#pragma once
/// Cases of dropout. The batch starts in the middle of an epoch, so that masks depend on the position.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> dropout_cases() {
  using namespace cases;
  struct DropoutShape {
    const char* name;
    Shape x;
    DropoutAttributes attributes;
  };
  const DropoutShape shapes[] = {
      {"googlenet", {4, 1024}, {0.4, 7, 0}},
      {"auxiliary head", {2, 1024}, {0.7, 7, 1}},
      {"images", {2, 32, 5, 5}, {0.3, 1u << 20, 2}},
      {"odd channels, odd batch", {3, 13, 7, 3}, {0.25, 3, 5}},
      {"nothing dropped", {2, 64, 2, 2}, {0.0, 3, 0}},
      {"seed of 64 bits", {2, 512}, {0.4, 0x9e3779b97f4a7c15u, 3}},
      {"batch 1", {1, 256}, {0.4, 5, 9}},
  };
  std::vector<Case> table;
  for (const DropoutShape& s : shapes) {
    const bool mostly_dropped = s.attributes.p > 0.5;
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      DropoutForward op;
      op.attributes = s.attributes;
      op.position = dense(Shape{2}, DType::i64);
      op.x = image(s.x, layout, 8, 16);
      op.y = image(s.x, layout, 16, 3);
      table.push_back({std::string(s.name) + (layout == Layout::sliced ? ", slices" : ""), op, mostly_dropped});
    }
    DropoutForward in_place;
    in_place.attributes = s.attributes;
    in_place.position = dense(Shape{2}, DType::i64);
    in_place.x = in_place.y = shared(0, s.x);
    table.push_back({std::string(s.name) + ", in place", in_place, mostly_dropped});

    for (const TargetVariant& v : target_variants()) {
      DropoutBackward op;
      op.attributes = s.attributes;
      op.position = dense(Shape{2}, DType::i64);
      op.dy = image(s.x, v.layout, 16, 3);
      op.target = grad_target(s.x, v.target, v.layout);
      // Dropout and the ReLU mask together zero more than half.
      table.push_back({std::string(s.name) + ", " + v.name, op, mostly_dropped || v.target == Target::mask});
    }
    DropoutBackward backward_in_place;
    backward_in_place.attributes = s.attributes;
    backward_in_place.position = dense(Shape{2}, DType::i64);
    backward_in_place.dy = backward_in_place.target.dx = shared(0, s.x);
    table.push_back({std::string(s.name) + ", in place", backward_in_place, mostly_dropped});
  }
  return table;
}

}  // namespace minception
