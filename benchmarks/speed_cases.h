#pragma once
/// Operations measured by kernel_speed and operation_speed.

#include "tests/cases/case.h"

#include <cstdint>
#include <string>
#include <vector>

namespace minception {

struct SpeedCase {
  Case test_case;
  bool googlenet = false;
};

/// Forward with bias and ReLU, backward data and backward weights of each distinct convolution and fused 1x1
/// convolutions of `googlenet`, all dense.
std::vector<SpeedCase> googlenet_cases(std::int64_t batch, std::int64_t size);

/// Every other operation at a size that it has, or could have, when training GoogLeNet, such as the output of
/// inception3a. All dense; gradients are overwritten and not masked. Names are those of layers.
std::vector<Case> googlenet_operations(std::int64_t batch, std::int64_t size);

/// "data" or "weights" for backward passes of operations that multiply, "backward" for others; otherwise "forward".
std::string pass_of(const Operation& operation);

}  // namespace minception
