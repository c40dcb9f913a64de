#pragma once
/// Cases of global_avg_pool.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> global_avg_pool_cases() {
  using namespace cases;
  const std::pair<const char*, Shape> shapes[] = {
      {"googlenet on 96x96", {2, 1024, 3, 3}},    {"googlenet on 32x32", {4, 1024, 1, 1}}, {"batch 1", {1, 64, 7, 7}},
      {"odd channels, odd batch", {3, 13, 5, 2}}, {"one channel", {6, 1, 4, 4}},
  };
  std::vector<Case> table;
  for (const auto& [name, x] : shapes) {
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      for (const Shape& y : {Shape{x[0], x[1]}, Shape{x[0], x[1], 1, 1}}) {
        GlobalAvgPoolForward op;
        op.x = image(x, layout, 8, 16);
        op.y = image(y, layout, 16, 3);
        table.push_back(
            {std::string(name) + (layout == Layout::sliced ? ", slices" : "") + ", rank " + std::to_string(y.rank()),
             op});
      }
    }
    for (const TargetVariant& v : target_variants()) {
      GlobalAvgPoolBackward op;
      op.dy = image({x[0], x[1]}, v.layout, 16, 3);
      op.target = grad_target(x, v.target, v.layout);
      table.push_back({std::string(name) + ", " + v.name, op});
    }
  }
  return table;
}

}  // namespace minception
