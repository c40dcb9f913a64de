#pragma once
/// Single operations with memory of their own, for studies and benchmarks.

#include "core/buffer.h"
#include "kernels/backend.h"

#include <cstddef>
#include <functional>
#include <vector>

namespace minception {

/// The middle value; of an even number of values the mean of the middle two. `values` must not be empty.
double median(std::vector<double> values);

/// Value of element `i` of operand `k`, from a table of prime length, which no tensor stride divides evenly.
double table_value(std::size_t k, std::size_t i);

/// Values of the operands that are read: element `i` of operand `k`, in dense order.
using OperandValues = std::function<double(std::size_t k, std::size_t i)>;

/// `table_value` for floating-point operands. Integer operands are 0, since they are indices and 0 is always valid.
OperandValues table_values(const Operation& operation);

/// An operation with its own memory on a backend.
class Staged {
 public:
  /// All tensors are dense, in the dtypes of `described`; those that are read get `value`.
  Staged(Backend& backend, const Operation& described);
  Staged(Backend& backend, const Operation& described, const OperandValues& value);

  std::size_t bytes() const { return bytes_; }  ///< of all operands, each counted once
  const Operation& operation() const { return operation_; }
  void run() { backend_.run(operation_, {workspace_.data(), workspace_bytes_}); }

  /// The elements of every written operand, in order. i32 and i64 read as 0: they are not compared.
  std::vector<std::vector<float>> results() const;

 private:
  Backend& backend_;
  Operation operation_;
  std::vector<Buffer> memory_;
  Buffer workspace_;
  std::size_t bytes_ = 0, workspace_bytes_ = 0;
};

}  // namespace minception
