#pragma once
/// Cases of fold_batch_norm.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> fold_batch_norm_cases() {
  using namespace cases;
  struct Weights {
    const char* name;
    Shape w;
    double epsilon;
  };
  const Weights shapes[] = {
      {"stem", {64, 1, 7, 7}, 1e-5},         {"3x3", {96, 64, 3, 3}, 1e-3},       {"1x1", {192, 160, 1, 1}, 1e-5},
      {"1x7", {24, 17, 1, 7}, 1e-5},         {"one channel", {1, 1, 1, 1}, 1e-5}, {"odd channels", {13, 5, 5, 3}, 1e-3},
      {"large epsilon", {8, 16, 3, 3}, 0.5},
  };
  std::vector<Case> table;
  for (const Weights& s : shapes) {
    FoldBatchNorm op;
    op.epsilon = s.epsilon;
    op.w = op.folded_w = dense(s.w);
    op.gamma = op.beta = op.running_mean = op.running_var = op.folded_bias = dense(Shape{s.w[0]});
    table.push_back({s.name, op});
  }
  return table;
}

}  // namespace minception
