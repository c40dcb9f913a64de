#pragma once
/// Operations with memory of their own, and how long they take.

#include <minception/kernels/backend.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace minception {

/// Element `i` of operand `k`: numbers of a table whose length is prime, so that no stride of a tensor meets it.
double table_value(std::size_t k, std::size_t i);

/// What operands hold that are read: element `i`, in the order of memory without gaps, of operand `k`.
using OperandValues = std::function<double(std::size_t k, std::size_t i)>;

/// `table_value` for floating operands; 0 for integers, which are indices into something: 0 is one everywhere.
OperandValues table_values(const Operation& operation);

/// An operation with memory of its own on a backend.
class Staged {
 public:
  /// Tensors in the compute dtype become `storage`, all of them dense; those that are read get the values of the table.
  Staged(Backend& backend, const Operation& described, DType storage);
  Staged(Backend& backend, const Operation& described, DType storage, const OperandValues& value);

  std::size_t bytes() const { return bytes_; }  ///< of operands, each once: what must move at least
  const Operation& operation() const { return operation_; }
  void run() { backend_.run(operation_, {workspace_.data(), workspace_bytes_}); }

  /// The elements of every operand that is written, in order. i32 and i64 read as 0: no result that is compared.
  std::vector<std::vector<float>> results() const;

 private:
  Backend& backend_;
  Operation operation_;
  std::vector<Buffer> memory_;
  Buffer workspace_;
  std::size_t bytes_ = 0, workspace_bytes_ = 0;
};

/// Copies of an operation whose operands together exceed the caches: more than twice the last one of an H100, or of most
/// CPUs. One where kernels are emulated, which has none.
std::vector<Staged> make_copies(Backend& backend, const Operation& operation, DType storage);

/// Microseconds of one run: the median over passes through all copies, by the device's clock where passes are recorded
/// (events), else by the host's. Takes about `seconds`.
double median_microseconds(Backend& backend, std::vector<Staged>& copies, double seconds);

// Ceilings: what a device does at best of what every kernel does.

/// Bytes read and written per second by a copy that no cache holds, in 1e9.
double copy_gigabytes_per_second(Backend& backend);
/// Of a large matrix product or a large 5x5 convolution (a 3x3 one may take fewer multiplications than are counted), whichever is faster, in 1e12 operations per second.
double product_teraflops(Backend& backend, DType storage);

}  // namespace minception
