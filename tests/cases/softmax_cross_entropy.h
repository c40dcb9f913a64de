#pragma once
/// Cases of softmax_cross_entropy.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> softmax_cross_entropy_cases() {
  using namespace cases;
  struct LossShape {
    const char* name;
    std::int64_t batch, classes;
    double label_smoothing, weight, divisor;
  };
  const LossShape shapes[] = {
      {"ten classes", 16, 10, 0.0, 1.0, 16.0},    {"a thousand classes", 4, 1000, 0.0, 1.0, 4.0},
      {"several blocks", 9, 1000, 0.1, 1.0, 9.0}, {"label smoothing", 16, 10, 0.1, 1.0, 16.0},
      {"auxiliary head", 8, 10, 0.1, 0.3, 8.0},   {"divisor of replicas", 3, 7, 0.0, 1.0, 24.0},
      {"batch 1", 1, 10, 0.0, 1.0, 1.0},          {"two classes", 9, 2, 0.0, 1.0, 9.0},
      {"all smoothing", 5, 13, 1.0, 1.0, 5.0},    {"odd, everything at once", 5, 37, 0.2, 0.3, 11.0},
  };
  std::vector<Case> table;
  for (const LossShape& s : shapes) {
    for (const bool gradient : {true, false}) {
      SoftmaxCrossEntropy op;
      op.label_smoothing = s.label_smoothing;
      op.weight = s.weight;
      op.divisor = s.divisor;
      op.logits = dense({s.batch, s.classes});
      op.labels = dense(Shape{s.batch}, DType::i32);
      op.metrics = dense(Shape{2});
      if (gradient) op.dlogits = dense({s.batch, s.classes});
      table.push_back({std::string(s.name) + (gradient ? "" : ", loss only"), op});
    }
  }
  return table;
}

}  // namespace minception
