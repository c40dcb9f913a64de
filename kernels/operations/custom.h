#pragma once
/// Operations defined outside of the library (docs/building-on-minception.md). Plans and backends treat them like
/// built-in ones. kernels/elements.h helps to write them.

#include "kernels/operations/common.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace minception {

struct Custom;

/// The resources for one run of a custom operation.
struct RunContext {
  using Range = std::function<void(std::int64_t begin, std::int64_t end)>;

  Workspace workspace;
  void* stream = nullptr;  ///< cudaStream_t; host backends: nullptr
  /// Host backends: calls f(begin, end) for parts of [0, count) on the threads of the backend. The parts depend on
  /// nothing but `count` and the number of threads.
  std::function<void(std::int64_t count, const Range& f)> parallel = [](std::int64_t count, const Range& f) {
    f(0, count);
  };
};

/// The implementation of a custom operation. It is shared by all plans, so it must not change. A run must not allocate
/// device memory or wait for the device, and the same operands must give the same bits.
class CustomOperation {
 public:
  virtual ~CustomOperation() = default;

  /// For messages and profiles: "swish_forward".
  virtual const char* name() const = 0;
  /// Throws Error if operands are missing or have wrong shapes or dtypes. Called before each plan and run.
  virtual void validate(const Custom& op) const { (void)op; }
  /// Bytes of scratch memory that `run` needs for these operands.
  virtual std::size_t workspace(const Custom& op) const { return (void)op, 0; }
  /// For summaries and profiles.
  virtual std::int64_t multiply_accumulates(const Custom& op) const { return (void)op, 0; }
  /// Whether the operation runs on the backend of this name. "vendor" runs what "cuda" runs.
  virtual bool supports(std::string_view backend) const { return backend == "reference" || backend == "cpu"; }

  /// Runs on host memory. Activations are f32 or f64 on `reference`, and f32 or bf16 on `cpu`.
  virtual void run(const Custom& op, const RunContext& context) const;
  /// Runs on device memory, f32 or bf16, by kernels launched on `context.stream`.
  virtual void run_cuda(const Custom& op, const RunContext& context) const;
};

struct CustomOperand {
  std::string role;  ///< "x": unique in its operation
  Tensor tensor;
};

/// A custom operation with its operands. Every tensor must be listed with its true access, because memory is planned
/// from these lists. Optional operands are left out.
struct Custom {
  std::shared_ptr<const CustomOperation> operation;
  std::vector<CustomOperand> inputs;     ///< read
  std::vector<CustomOperand> outputs;    ///< overwritten
  std::vector<CustomOperand> updated;    ///< read and written, such as running statistics
  std::vector<CustomOperand> gradients;  ///< of parameters: (+)=, see `accumulate`
  GradTarget target = {};                ///< of the input gradient, if the operation computes it
  bool accumulate = false;               ///< add to `gradients` instead of overwriting them; set by Plan::bind

  /// The operand of that role; "dx" and "relu_output" are those of `target`. Throws Error if there is none.
  const Tensor& operator[](std::string_view role) const;
  bool has(std::string_view role) const { return find(role) != nullptr; }
  /// Throws Error unless both operands have one shape and dtype.
  void require_alike(std::string_view a, std::string_view b) const;
  /// Throws Error if the operation needs a larger workspace. Backends call this before a run.
  void require_workspace(Workspace workspace) const;

  template <class Self, class F>
  static void each_operand(Self& self, F&& f) {
    for (auto& operand : self.inputs) f(operand.role, operand.tensor, Access::read);
    for (auto& operand : self.outputs) f(operand.role, operand.tensor, Access::write);
    for (auto& operand : self.updated) f(operand.role, operand.tensor, Access::read_write);
    for (auto& operand : self.gradients) {
      f(operand.role, operand.tensor, self.accumulate ? Access::read_write : Access::write);
    }
    GradTarget::each_operand(self.target, f);
  }

 private:
  const Tensor* find(std::string_view role) const;
};

}  // namespace minception

#define MINCEPTION_CUSTOM_OPERATIONS(F) F(Custom, custom)
