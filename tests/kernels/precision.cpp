#include "tests/kernels/precision.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace minception {
namespace {

/// Rounds to 10 bits of mantissa, ties away from zero. NaN stays NaN.
float to_tf32(float value) {
  if (!std::isfinite(value)) return value;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu);
}

}  // namespace

DType dtype_in(DType compute, const Operation& operation, std::string_view role, const Tensor& described) {
  if (described.dtype != DType::f32 || role == "schedule") return described.dtype;
  if (compute != DType::bf16) return compute;
  static constexpr std::string_view kMaster[] = {
      "w",      "bias",  "dw",      "dbias", "gamma", "beta", "running_mean", "running_var", "mean",     "rstd",
      "dgamma", "dbeta", "metrics", "g",     "v",     "m",    "factor",       "average",     "folded_w", "folded_bias"};
  const bool master = std::holds_alternative<GroupNorms>(operation) ||
                      std::find(std::begin(kMaster), std::end(kMaster), role) != std::end(kMaster);
  return master ? DType::f32 : DType::bf16;
}

Operation in_dtype(DType compute, Operation operation) {
  const Operation described = operation;
  for_each_operand(operation, [&](std::string_view role, Tensor& tensor, Access) {
    tensor.dtype = dtype_in(compute, described, role, tensor);
  });
  return operation;
}

double rounded(double value, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return static_cast<float>(value);
    case DType::bf16:
      return bf16(static_cast<float>(value));
    default:
      return value;
  }
}

Values round_factors(const Operation& operation, Values values, Factors factors) {
  if (factors == Factors::exact || !multiplies_matrices(operation)) return values;
  std::size_t k = 0;
  for_each_operand(operation, [&](std::string_view role, const Tensor&, Access) {
    std::vector<double>& operand = values[k++];
    if (role != "x" && role != "w" && role != "dy") return;
    for (double& value : operand) {
      value = factors == Factors::tf32 ? to_tf32(static_cast<float>(value)) : rounded(value, DType::bf16);
    }
  });
  return values;
}

}  // namespace minception
