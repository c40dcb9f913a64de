#pragma once
/// Cases: one table per operation says on which shapes and attributes it is exercised, and every consumer
/// reads the same table: each backend against `reference`, gradient checks, emulation, benchmarks. Shapes are
/// data.
///
/// The tensors of a case are f32 descriptions without memory. `storage` and `offset` say which of them lie in
/// one allocation: -1 is an allocation of its own, equal numbers share one (in-place operation, slices that
/// are neighbours).

#include <minception/kernels/operations.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace minception {

struct Case {
  std::string name;
  Operation operation;
  /// More than half of what it computes is zero by its nature: gradients of strided windows, dropout with a
  /// large p.
  bool mostly_zero = false;
  /// Carried out by oneDNN's fused ReLU, which turns NaN into 0 (measured): the cpu backend need not
  /// propagate it.
  bool cpu_swallows_nan = false;
  /// The environment that runs it alone, where it is in no table: see MINCEPTION_CASE in choose_cases.h.
  std::string alone = {};

  /// "relu_forward: one pixel", unique among all cases; the label under which tests re-run it.
  std::string label() const { return std::string(name_of(operation)) + ": " + name; }
};

/// The cases of all operations, in the order of operations.h.
std::vector<Case> all_cases();

namespace cases {

inline Tensor dense(Shape shape, DType dtype = DType::f32) { return Tensor(shape, dtype); }

/// Channels of a tensor that is `before` + `after` channels wider than they are.
inline Tensor slice(Shape shape, std::int64_t before, std::int64_t after) {
  Shape wide = shape;
  wide[1] += before + after;
  return Tensor(wide, DType::f32).channels(before, shape[1]);
}

/// A tensor of one allocation that other operands of the case may be views of as well.
inline Tensor shared(int storage, Shape shape) {
  Tensor tensor(shape, DType::f32);
  tensor.storage = storage;
  return tensor;
}

/// Adjacent channel slices of one tensor, as the branches of an Inception block write them.
inline std::vector<Tensor> adjacent(const Tensor& whole, const std::vector<std::int64_t>& channels) {
  std::vector<Tensor> parts;
  std::int64_t begin = 0;
  for (const std::int64_t count : channels) {
    parts.push_back(whole.channels(begin, count));
    begin += count;
  }
  return parts;
}

/// How an operand lies in memory.
enum class Layout { dense, sliced };

/// Operands of one operation get slices of different widths, so that a stride taken from the wrong one is
/// noticed.
inline Tensor image(Shape shape, Layout layout, std::int64_t before, std::int64_t after) {
  return layout == Layout::sliced ? slice(shape, before, after) : dense(shape);
}

/// What a GradTarget asks for.
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

/// Every combination of Target and Layout: what each operation with a GradTarget is tried on once.
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
