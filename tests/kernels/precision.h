#pragma once
/// In which types a backend keeps and multiplies tensors, and what rounding that allows it.

#include <minception/kernels/operations.h>
#include <minception/tests/kernels/inputs.h>

#include <string_view>

namespace minception {

/// What the factors of a matrix product are rounded to before they are multiplied; sums are never narrower than f32.
enum class Factors { exact, tf32, bf16 };

struct Precision {
  std::string_view name = "f32";
  DType storage = DType::f32;  ///< of tensors in the compute dtype
  Factors factors = Factors::exact;
  /// Weight gradients of convolutions are summed in f32, but rounded to `storage` before they are stored or added: as
  /// cuDNN's are.
  bool rounds_weight_gradients = false;
};
inline constexpr Precision kF32;
inline constexpr Precision kTf32 = {"tf32", DType::f32, Factors::tf32};
inline constexpr Precision kBf16 = {"bf16", DType::bf16, Factors::bf16};
inline constexpr Precision kVendorBf16 = {"bf16", DType::bf16, Factors::bf16, true};

/// The dtype that an operand described as f32 has when the compute dtype is `compute`: beside bf16, "master" operands
/// stay f32.
DType dtype_in(DType compute, const Operation& operation, std::string_view role, const Tensor& described);

constexpr bool is_floating(DType dtype) { return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f64; }

/// The number of that dtype closest to `value`.
double rounded(double value, DType dtype);

/// Convolutions and fully connected layers: what a backend may hand to tensor cores.
inline bool multiplies_matrices(const Operation& operation) { return multiply_accumulates(operation) > 0; }

/// The values of the operands, those rounded that are factors of a matrix product.
Values round_factors(const Operation& operation, Values values, Factors factors);

}  // namespace minception
