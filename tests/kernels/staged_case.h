#pragma once
/// Memory for the tensors of a case, on one backend and in one compute dtype, with guards around and between them.

#include "kernels/backend.h"
#include "tests/kernels/guarded_memory.h"
#include "tests/kernels/inputs.h"

#include <memory>
#include <string>
#include <vector>

namespace minception {

class StagedCase {
 public:
  /// Lays out the operands and writes `values` to inputs, NaN to outputs and guard values everywhere else.
  StagedCase(Backend& backend, const Operation& described, DType compute, const Values& values);

  /// Moves the operands, and the workspace of later runs, to new memory. In host memory next to an inaccessible page,
  /// operands have only the alignment of their elements.
  void place(Placement placement);
  Placement placement() const { return placement_; }

  const Operation& operation() const { return operation_; }
  std::size_t operands() const { return operands_.size(); }
  const std::string& role(std::size_t k) const { return operands_[k].role; }
  Access access(std::size_t k) const { return operands_[k].access; }
  DType dtype(std::size_t k) const { return operands_[k].tensor.dtype; }

  /// Plans and runs once on the initial memory, with the workspace filled with `garbage`. Throws Error if the backend
  /// does, or if it wrote past the end of the workspace.
  void run(const Operation& operation, unsigned char garbage);
  void run() { run(operation_, 0xff); }

  /// The elements of an operand after the run, in memory order without gaps.
  std::vector<double> read(std::size_t k) const;
  /// All memory after the run, to compare two runs bit by bit.
  const std::vector<std::vector<std::byte>>& memory() const { return memory_; }
  /// The role of an operand in whose allocation read-only bytes changed; "" if there is none.
  std::string trespassed() const;

 private:
  struct Operand {
    std::string role;
    Access access;
    Tensor tensor;
    std::size_t storage;   ///< index of the allocation
    std::int64_t element;  ///< index of the operand's first element in the allocation
  };
  /// One allocation. It holds bytes [first, first + bytes) of its entry in initial_.
  struct Storage {
    Buffer buffer;
    std::unique_ptr<GuardedMemory> guarded;
    std::size_t first, bytes;

    std::byte* data() const { return guarded ? guarded->data() : static_cast<std::byte*>(buffer.data()); }
  };

  std::size_t byte_of(const Operand& operand, std::int64_t i) const;
  void write(const Operand& operand, const std::vector<double>& values);

  Backend& backend_;
  Operation operation_;
  std::vector<Operand> operands_;
  std::vector<Storage> storages_;
  Placement placement_ = Placement::allocated;
  std::vector<std::vector<std::byte>> initial_;
  std::vector<std::vector<std::byte>> memory_;
};

}  // namespace minception
