#pragma once
/// Operations with their own memory, and their timing.

#include "kernels/backend.h"

#include <cstddef>
#include <functional>
#include <vector>

namespace minception {

/// Value of element `i` of operand `k`, from a table of prime length, which no tensor stride divides evenly.
double table_value(std::size_t k, std::size_t i);

/// Values of the operands that are read: element `i` of operand `k`, in dense order.
using OperandValues = std::function<double(std::size_t k, std::size_t i)>;

/// `table_value` for floating-point operands. Integer operands are 0, since they are indices and 0 is always valid.
OperandValues table_values(const Operation& operation);

/// An operation with its own memory on a backend.
class Staged {
 public:
  /// Tensors in the compute dtype become `storage`. All tensors are dense; those that are read get the table's values.
  Staged(Backend& backend, const Operation& described, DType storage);
  Staged(Backend& backend, const Operation& described, DType storage, const OperandValues& value);

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

/// Copies of an operation whose operands together exceed the caches: more than twice the last-level cache of an H100 or
/// of most CPUs. One copy if kernels are emulated.
std::vector<Staged> make_copies(Backend& backend, const Operation& operation, DType storage);

/// Microseconds of one run: the median over passes through all copies, by device events if passes can be captured,
/// otherwise by the host's clock. Takes about `seconds`.
double median_microseconds(Backend& backend, std::vector<Staged>& copies, double seconds);

// Ceilings: peak rates of a device.

/// Bandwidth (read and written) of a copy larger than the caches, in 1e9 bytes per second.
double copy_gigabytes_per_second(Backend& backend);
/// Speed of a large matrix product or a large 5x5 convolution, whichever is faster, in 1e12 operations per second. (A
/// 3x3 convolution may need fewer multiplications than are counted.)
double product_teraflops(Backend& backend, DType storage);

}  // namespace minception
