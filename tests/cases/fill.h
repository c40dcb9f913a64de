#pragma once
/// Cases of fill.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> fill_cases() {
  using namespace cases;
  std::vector<Case> table;
  const auto add = [&](std::string name, Tensor y) {
    for (const double value : {0.0, 1.0, -0.1}) {
      Fill op;
      op.value = value;
      op.y = y;
      table.push_back({concat(name, ", ", value), op, value == 0.0});
    }
  };
  const std::pair<const char*, Shape> shapes[] = {
      {"inception3a", {2, 256, 4, 4}}, {"odd channels, odd batch", {3, 13, 5, 7}}, {"rank 2", {3, 37}}};
  for (const auto& [name, shape] : shapes) {
    add(name, dense(shape));
    add(concat(name, ", a slice"), slice(shape, 8, 3));
  }
  add("flat", dense(Shape{1000}));
  add("one element", dense(Shape{1}));
  return table;
}

}  // namespace minception
