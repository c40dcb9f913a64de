#pragma once
/// Values for the inputs of a case: deterministic, exact in the dtype in which they are stored, and such as the
/// operation documents them (labels in range, an argmax that a forward pass chose, statistics that belong to x).

#include <minception/tests/cases/case.h>

#include <vector>

namespace minception {

/// One list per operand, in the order of for_each_operand; elements in the order of memory. Operands that are
/// only written have an empty list.
using Values = std::vector<std::vector<double>>;

/// `storage`: f32 or bf16, the compute dtype for which they are exact.
Values make_values(const Case& test_case, DType storage = DType::f32);

/// Makes every ReLU mask among the operands let everything through.
void open_relu_masks(const Operation& operation, Values& values);

}  // namespace minception
