#pragma once
/// Dtypes in which a backend stores and multiplies tensors, and the rounding that follows.

#include "kernels/operations.h"
#include "tests/kernels/inputs.h"

#include <string_view>

namespace minception {

/// Rounding of the factors of a matrix product before multiplication; sums are never narrower than f32.
enum class Factors { exact, tf32, bf16 };

struct Precision {
  std::string_view name = "f32";
  DType storage = DType::f32;  ///< of tensors in the compute dtype
  Factors factors = Factors::exact;
  /// Weight gradients of convolutions are summed in f32 and rounded to `storage` before they are stored or added, as by
  /// cuDNN.
  bool rounds_weight_gradients = false;
};
inline constexpr Precision kF32;
inline constexpr Precision kTf32 = {"tf32", DType::f32, Factors::tf32};
inline constexpr Precision kBf16 = {"bf16", DType::bf16, Factors::bf16};
inline constexpr Precision kVendorBf16 = {"bf16", DType::bf16, Factors::bf16, true};

/// The dtype of an operand that is described as f32 if the compute dtype is `compute`. With bf16, "master" operands
/// stay f32.
DType dtype_in(DType compute, const Operation& operation, std::string_view role, const Tensor& described);
/// The operation with every operand in its `dtype_in`.
Operation in_dtype(DType compute, Operation operation);

constexpr bool is_floating(DType dtype) { return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f64; }

/// `value` rounded to `dtype`.
double rounded(double value, DType dtype);

/// Convolutions and fully connected layers, which a backend may run on tensor cores.
inline bool multiplies_matrices(const Operation& operation) { return multiply_accumulates(operation) > 0; }

/// The values with the factors of matrix products rounded.
Values round_factors(const Operation& operation, Values values, Factors factors);

}  // namespace minception
