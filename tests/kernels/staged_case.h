#pragma once
/// Real memory for the tensors of a case, on one backend and in one compute dtype, with guards around and between them.

#include <minception/kernels/backend.h>
#include <minception/tests/kernels/guarded_memory.h>
#include <minception/tests/kernels/inputs.h>

#include <memory>
#include <string>
#include <vector>

namespace minception {

class StagedCase {
 public:
  /// Lays the operands out, writes `values` into inputs, NaN into outputs and guard values into everything
  /// else.
  StagedCase(Backend& backend, const Operation& described, DType compute, const Values& values);

  /// Moves the operands, and the workspace of the next runs, to fresh memory. Host memory may lie against a page that
  /// must not be touched; there operands have only the alignment of their elements.
  void place(Placement placement);
  Placement placement() const { return placement_; }

  const Operation& operation() const { return operation_; }
  std::size_t operands() const { return operands_.size(); }
  const std::string& role(std::size_t k) const { return operands_[k].role; }
  Access access(std::size_t k) const { return operands_[k].access; }
  DType dtype(std::size_t k) const { return operands_[k].tensor.dtype; }

  /// Plans and runs once on the memory as it was at first; `garbage` fills the workspace. Throws Error where
  /// the backend does, or when it wrote behind its workspace.
  void run(const Operation& operation, unsigned char garbage);
  void run() { run(operation_, 0xff); }

  /// The elements of an operand after the run, in the order of memory without gaps.
  std::vector<double> read(std::size_t k) const;
  /// All memory after the run, to compare two runs bit by bit.
  const std::vector<std::vector<std::byte>>& memory() const { return memory_; }
  /// The role of an operand near which bytes changed that the operation must leave alone; "" if there are
  /// none.
  std::string trespassed() const;

 private:
  struct Operand {
    std::string role;
    Access access;
    Tensor tensor;
    std::size_t storage;   ///< which allocation
    std::int64_t element;  ///< of the allocation, where it begins
  };
  /// One allocation, and which bytes of its image in initial_ are there.
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
