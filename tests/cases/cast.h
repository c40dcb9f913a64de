#pragma once
/// Cases of cast. check_conversions.h compares single values bit by bit.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> cast_cases() {
  using namespace cases;
  std::vector<Case> table;
  const auto add = [&](std::string name, Tensor x, Tensor y) {
    Cast op;
    op.x = x;
    op.y = y;
    table.push_back({std::move(name), op});
  };
  const auto bf16_image = [](Shape shape, std::int64_t before, std::int64_t after) {
    Shape wide = shape;
    wide[1] += before + after;
    return Tensor(wide, DType::bf16).channels(before, shape[1]);
  };
  const std::pair<const char*, Shape> shapes[] = {{"inception3a", {2, 256, 4, 4}},
                                                  {"odd channels, odd batch", {3, 13, 5, 7}},
                                                  {"one pixel per image", {4, 100, 1, 1}},
                                                  {"rank 2", {3, 37}}};
  for (const auto& [name, shape] : shapes) {
    add(name, dense(shape), dense(shape));
    add(concat(name, ", slices"), slice(shape, 8, 16), slice(shape, 16, 3));
    add(concat(name, ", into a slice"), dense(shape), slice(shape, 4, 4));
    add(concat(name, ", to bf16"), dense(shape), bf16_image(shape, 0, 0));
    add(concat(name, ", to a slice of bf16"), slice(shape, 4, 4), bf16_image(shape, 8, 16));
    add(concat(name, ", from bf16"), bf16_image(shape, 0, 0), dense(shape));
    add(concat(name, ", from a slice of bf16"), bf16_image(shape, 3, 2), slice(shape, 8, 4));
  }
  add("flat to bf16", dense(Shape{1003}), dense(Shape{1003}, DType::bf16));
  add("flat", dense(Shape{1003}), dense(Shape{1003}));
  add("filters", dense({16, 5, 3, 3}), dense({16, 5, 3, 3}));
  return table;
}

}  // namespace minception
