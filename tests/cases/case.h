#pragma once
/// Cases: one table per operation lists the shapes and attributes to test. All consumers read the same table:
/// comparison of each backend with `reference`, gradient checks, emulation, benchmarks.
///
/// The tensors of a case are descriptions without memory, floating ones in f32 (cast: also bf16). `storage` selects the
/// allocation: -1 is a separate one, equal numbers share one (in-place operations, adjacent slices). `offset` is the
/// byte offset in it.

#include "kernels/operations.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minception {

struct Case {
  std::string name;
  Operation operation;
  /// More than half of the expected values may be zero: gradients of strided windows, dropout with a large p.
  bool mostly_zero = false;
  /// Uses oneDNN's fused ReLU, which turns NaN into 0 (measured): the cpu backend need not propagate NaN.
  bool cpu_swallows_nan = false;
  /// Environment variables that run only this case, if it is in no table; see MINCEPTION_CASE in choose_cases.h.
  std::string alone = {};

  /// "relu_forward: one pixel", unique among all cases; MINCEPTION_CASE selects by it.
  std::string label() const { return std::string(name_of(operation)) + ": " + name; }
};

/// Name of the operation in the list of operations: "custom" for every custom operation.
inline std::string_view kind_of(const Operation& operation) {
  return std::holds_alternative<Custom>(operation) ? name_of(Custom{}) : name_of(operation);
}

/// The cases of all operations.
std::vector<Case> all_cases();

namespace cases {

inline Tensor dense(Shape shape, DType dtype = DType::f32) { return Tensor(shape, dtype); }

/// One element behind the beginning of an allocation, so that wider accesses are misaligned.
inline Tensor unaligned(Shape shape) {
  Tensor tensor(shape, DType::f32);
  tensor.offset = size_of(DType::f32);
  return tensor;
}

/// A channel slice of a tensor that has `before` more channels in front of it and `after` more behind it.
inline Tensor slice(Shape shape, std::int64_t before, std::int64_t after) {
  Shape wide = shape;
  wide[1] += before + after;
  return Tensor(wide, DType::f32).channels(before, shape[1]);
}

/// A tensor in allocation `storage`, which other operands of the case may share.
inline Tensor shared(int storage, Shape shape) {
  Tensor tensor(shape, DType::f32);
  tensor.storage = storage;
  return tensor;
}

/// Adjacent channel slices of one tensor, like the outputs of the branches of an Inception block.
inline std::vector<Tensor> adjacent(const Tensor& whole, const std::vector<std::int64_t>& channels) {
  std::vector<Tensor> parts;
  std::int64_t begin = 0;
  for (const std::int64_t count : channels) {
    parts.push_back(whole.channels(begin, count));
    begin += count;
  }
  return parts;
}

/// Memory layout of an operand.
enum class Layout { dense, sliced };

/// Give the operands of an operation slices of different widths, so that use of a wrong stride is detected.
inline Tensor image(Shape shape, Layout layout, std::int64_t before, std::int64_t after) {
  return layout == Layout::sliced ? slice(shape, before, after) : dense(shape);
}

/// Kinds of GradTarget.
enum class Target { overwrite, accumulate, mask, accumulate_mask };
inline constexpr Target kTargets[] = {Target::overwrite, Target::accumulate, Target::mask, Target::accumulate_mask};

inline const char* name_of(Target target) {
  switch (target) {
    case Target::overwrite:
      return "overwrite";
    case Target::accumulate:
      return "accumulate";
    case Target::mask:
      return "mask";
    case Target::accumulate_mask:
      return "accumulate and mask";
  }
  return "";
}

inline GradTarget grad_target(Shape shape, Target target = Target::overwrite, Layout layout = Layout::dense) {
  GradTarget result;
  result.dx = image(shape, layout, 8, 24);
  result.accumulate = target == Target::accumulate || target == Target::accumulate_mask;
  if (target == Target::mask || target == Target::accumulate_mask) result.relu_output = image(shape, layout, 5, 2);
  return result;
}

/// Every combination of Target and Layout, for each operation with a GradTarget.
struct TargetVariant {
  Target target;
  Layout layout;
  std::string name;
};
inline std::vector<TargetVariant> target_variants() {
  std::vector<TargetVariant> variants;
  for (const Layout layout : {Layout::dense, Layout::sliced}) {
    for (const Target target : kTargets) {
      variants.push_back({target, layout, std::string(name_of(target)) + (layout == Layout::sliced ? ", slices" : "")});
    }
  }
  return variants;
}

}  // namespace cases
}  // namespace minception
