#pragma once
/// Operations: formula, shapes, allowed aliasing, overwriting (`=`) or accumulation (`+=`), and rejected inputs. The
/// contracts are in operations/, one file per family. Backends implement them (backend.h); a plan is a list of them.
///
/// Conventions
/// - Shapes are (N, C, H, W); memory is channels-last; every image operand may be a channel slice unless stated
///   otherwise. Rank 2, (N, C), is an image of one pixel.
/// - Floating operands of one operation share a dtype, the compute dtype, with one exception: parameters, their
///   gradients, batch-norm statistics and metrics have the "master" dtype: f32 when computing in bf16, else the compute
///   dtype.
/// - `run` rejects wrong shapes, dtypes and attributes, empty images and weights, and non-finite settings with an Error
///   that names the operation and the values.
/// - Operands must not alias unless the operation allows it. NaN and infinity propagate.
/// - Gradients follow from  dL/dx = sum dL/dy * dy/dx;  `dy` is always dL/dy.
///
/// Every struct lists its operands once, in `each_operand(op, f)`, which calls f(role, tensor, access). Memory
/// lifetimes, partial batches, printing and tests use that list.

#include "kernels/operations/convolution.h"
#include "kernels/operations/custom.h"
#include "kernels/operations/elementwise.h"
#include "kernels/operations/input.h"
#include "kernels/operations/loss.h"
#include "kernels/operations/normalization.h"
#include "kernels/operations/optimizer.h"
#include "kernels/operations/pooling.h"

#include <string_view>
#include <type_traits>
#include <variant>

namespace minception {

/// Expands F(Struct, name) for every operation. The variant, the names, the backend interface and its dispatch are
/// generated from this list. A new operation is added to the list in the header of its family.
#define MINCEPTION_OPERATIONS(F)         \
  MINCEPTION_INPUT_OPERATIONS(F)         \
  MINCEPTION_CONVOLUTION_OPERATIONS(F)   \
  MINCEPTION_ELEMENTWISE_OPERATIONS(F)   \
  MINCEPTION_POOLING_OPERATIONS(F)       \
  MINCEPTION_NORMALIZATION_OPERATIONS(F) \
  MINCEPTION_LOSS_OPERATIONS(F)          \
  MINCEPTION_OPTIMIZER_OPERATIONS(F)     \
  MINCEPTION_CUSTOM_OPERATIONS(F)

namespace detail {
template <class, class... Operations>
using VariantOf = std::variant<Operations...>;
}

#define MINCEPTION_COMMA_STRUCT(Struct, name) , Struct
using Operation = detail::VariantOf<void MINCEPTION_OPERATIONS(MINCEPTION_COMMA_STRUCT)>;
#undef MINCEPTION_COMMA_STRUCT

/// Name of the operation: "conv2d_forward", ...; of a custom operation, the name that its class gives.
std::string_view name_of(const Operation& operation);

/// Calls f(role, tensor, access) for every operand that is defined.
template <class F>
void for_each_operand(Operation& operation, F&& f) {
  std::visit(
      [&](auto& op) {
        std::decay_t<decltype(op)>::each_operand(op, [&](std::string_view role, Tensor& tensor, Access access) {
          if (tensor.defined()) f(role, tensor, access);
        });
      },
      operation);
}
template <class F>
void for_each_operand(const Operation& operation, F&& f) {
  std::visit(
      [&](const auto& op) {
        std::decay_t<decltype(op)>::each_operand(op, [&](std::string_view role, const Tensor& tensor, Access access) {
          if (tensor.defined()) f(role, tensor, access);
        });
      },
      operation);
}

/// Multiply-accumulates of a convolution or fully connected layer, padding included, or as stated by a custom operation;
/// 0 for other operations.
std::int64_t multiply_accumulates(const Operation& operation);

/// Checks attributes, shapes and dtypes. Throws Error with the name of the operation and the wrong values.
void validate(const Operation& operation);
#define MINCEPTION_DECLARE_VALIDATE(Struct, name) void validate(const Struct&);
MINCEPTION_OPERATIONS(MINCEPTION_DECLARE_VALIDATE)
#undef MINCEPTION_DECLARE_VALIDATE

/// Checks settings that an operation reads from memory (step, schedule, position); they must be in host memory. Host
/// backends call this in every run. For `cuda`, call it before the values are copied to the device.
void validate_values(const Operation& operation);

}  // namespace minception
