#pragma once
/// Cases of batch_norm.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> batch_norm_cases() {
  using namespace cases;
  struct NormShape {
    const char* name;
    Shape x;
    BatchNormAttributes attributes;
  };
  const NormShape shapes[] = {
      {"stem", {2, 64, 16, 16}, {}},
      {"inception3a", {4, 96, 4, 4}, {1e-3, 0.1}},
      {"one pixel per image", {16, 128, 1, 1}, {}},
      {"odd channels, odd batch", {3, 13, 5, 3}, {1e-3, 0.25}},
      {"one channel", {4, 1, 6, 6}, {}},
      {"batch 1", {1, 24, 7, 7}, {}},
      {"large epsilon", {2, 16, 4, 4}, {0.5, 0.1}},
      {"statistics replaced", {2, 16, 4, 4}, {1e-5, 1.0}},
      {"statistics kept", {2, 16, 4, 4}, {1e-5, 0.0}},
      {"a single value per channel", {1, 32, 1, 1}, {}},
  };
  std::vector<Case> table;
  for (const NormShape& s : shapes) {
    const Tensor vector = dense(Shape{s.x[1]});
    // With a single value per channel xhat is 0, and so are the results computed from it.
    const bool single_value = s.x[0] * s.x[2] * s.x[3] == 1;
    for (const bool relu : {false, true}) {
      for (const Layout layout : {Layout::dense, Layout::sliced}) {
        BatchNormForwardTraining training;
        training.attributes = s.attributes;
        training.attributes.relu = relu;
        training.x = image(s.x, layout, 8, 16);
        training.y = image(s.x, layout, 16, 3);
        training.gamma = training.beta = training.running_mean = training.running_var = vector;
        training.mean = training.rstd = vector;
        const std::string name = std::string(s.name) + (relu ? ", relu" : "");
        const std::string slices = layout == Layout::sliced ? ", slices" : "";
        table.push_back({name + slices, training, single_value && relu});
        BatchNormForwardInference inference;
        inference.attributes = training.attributes;
        inference.x = training.x;
        inference.y = training.y;
        inference.gamma = inference.beta = inference.running_mean = inference.running_var = vector;
        table.push_back({name + slices, inference, single_value && relu});
        if (layout == Layout::sliced) continue;

        inference.x = inference.y = shared(0, s.x);
        table.push_back({name + ", in place", inference, single_value && relu});
      }
    }
    for (const TargetVariant& v : target_variants()) {
      for (const bool accumulate : {false, true}) {
        BatchNormBackward op;
        op.x = image(s.x, v.layout, 8, 16);
        op.dy = image(s.x, v.layout, 16, 3);
        op.gamma = op.mean = op.rstd = op.dgamma = op.dbeta = vector;
        op.accumulate = accumulate;
        op.target = grad_target(s.x, v.target, v.layout);
        table.push_back(
            {std::string(s.name) + ", " + v.name + (accumulate ? ", accumulate parameters" : ""), op, single_value});
      }
    }
    for (const TargetVariant& v : target_variants()) {
      BatchNormBackwardInference op;
      op.attributes = s.attributes;
      op.dy = image(s.x, v.layout, 16, 3);
      op.gamma = op.running_var = vector;
      op.target = grad_target(s.x, v.target, v.layout);
      table.push_back({std::string(s.name) + ", " + v.name, op});
    }
    BatchNormBackwardInference constant;
    constant.attributes = s.attributes;
    constant.gamma = constant.running_var = vector;
    constant.dy = constant.target.dx = shared(0, s.x);
    table.push_back({std::string(s.name) + ", in place", constant});
    BatchNormBackward in_place;
    in_place.x = dense(s.x);
    in_place.gamma = in_place.mean = in_place.rstd = in_place.dgamma = in_place.dbeta = vector;
    in_place.dy = in_place.target.dx = shared(0, s.x);
    table.push_back({std::string(s.name) + ", in place", in_place, single_value});
  }
  return table;
}

}  // namespace minception
