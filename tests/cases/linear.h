#pragma once
/// Cases of linear: the classifiers of GoogLeNet and its auxiliary heads, and edge cases.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> linear_cases() {
  using namespace cases;
  struct LinearShape {
    const char* name;
    std::int64_t batch, in, out;
  };
  const LinearShape shapes[] = {
      {"fc of ten classes", 4, 1024, 10},
      {"fc of a thousand classes", 2, 128, 1000},
      {"auxiliary fc1 on 4x4", 2, 2048, 256},
      {"batch 1", 1, 64, 32},
      {"odd, batch 3", 3, 13, 7},
      {"one feature, one class", 5, 1, 1},
  };
  std::vector<Case> table;
  for (const LinearShape& s : shapes) {
    const Shape x = {s.batch, s.in}, y = {s.batch, s.out}, w = {s.out, s.in};
    for (const bool bias : {false, true}) {
      LinearForward forward;
      forward.x = dense(x);
      forward.w = dense(w);
      if (bias) forward.bias = dense(Shape{s.out});
      forward.y = dense(y);
      table.push_back({std::string(s.name) + (bias ? ", bias" : ""), forward});

      for (const bool accumulate : {false, true}) {
        LinearBackwardWeights weights;
        weights.x = dense(x);
        weights.dy = dense(y);
        weights.dw = dense(w);
        if (bias) weights.dbias = dense(Shape{s.out});
        weights.accumulate = accumulate;
        table.push_back({std::string(s.name) + (bias ? ", bias" : "") + (accumulate ? ", accumulate" : ""), weights});
      }
    }
    for (const Target target : kTargets) {
      LinearBackwardData data;
      data.dy = dense(y);
      data.w = dense(w);
      data.target = grad_target(x, target);
      // The mask may zero more than half of a few values.
      table.push_back({std::string(s.name) + ", " + name_of(target), data, data.target.dx.elements() < 16});
    }
  }
  return table;
}

}  // namespace minception
