#pragma once
/// Values for the inputs of a case: deterministic, exact in their dtype, and valid for the operation (labels in range,
/// argmax of a forward pass, statistics of x).

#include "tests/cases/case.h"

#include <vector>

namespace minception {

/// One list per operand, in the order of for_each_operand; elements in memory order. Operands that are only written
/// have an empty list.
using Values = std::vector<std::vector<double>>;

/// `storage`: compute dtype, f32 or bf16, in which the values are exact.
Values make_values(const Case& test_case, DType storage = DType::f32);

/// Sets every ReLU mask among the operands to pass all elements.
void open_relu_masks(const Operation& operation, Values& values);

}  // namespace minception
