#pragma once
/// What kernel_speed and operation_speed measure.

#include <minception/tests/cases/case.h>

#include <cstdint>
#include <string>
#include <vector>

namespace minception {

struct SpeedCase {
  Case test_case;
  bool googlenet = false;
};

/// Forward with bias and ReLU, data and weights of each distinct convolution and group of `googlenet`, all dense.
std::vector<SpeedCase> googlenet_cases(std::int64_t batch, std::int64_t size);

/// Every other operation at the sizes that it has in a training of GoogLeNet, or where GoogLeNet does without it, would
/// have: at the output of inception3a, say. All dense, gradients overwritten and not masked; the name says the layer.
std::vector<Case> googlenet_operations(std::int64_t batch, std::int64_t size);

/// "forward", "data" or "weights" of operations that multiply; "backward" of others.
std::string pass_of(const Operation& operation);

}  // namespace minception
