#pragma once
/// Resolves operands of PTX statements: registers, constants, special registers, variables.

#include "simt/ptx/program.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace minception::simt::ptx {

/// An operand before rows are assigned.
struct Ref {
  enum class Kind : std::uint8_t { none, reg, half, word, double_word, special };
  Kind kind = Kind::none;
  std::uint64_t value = 0;  ///< number of the register, bits of the constant, or Special
};

/// An instruction before rows are assigned.
struct Node {
  Instruction instruction;
  std::vector<Ref> refs;
  std::uint32_t written = 0;   ///< bit k: refs[k] is a destination
  bool list = false;           ///< the handler reads Instruction::rows
  bool falls_through = true;   ///< the next instruction can follow
  std::ptrdiff_t target = -1;  ///< statement that it can jump to
};

/// The registers of a kernel, by number.
class Registers {
 public:
  explicit Registers(const Kernel& kernel);

  std::optional<std::size_t> find(std::string_view name) const;
  Width width(std::size_t number) const { return widths_[number]; }
  std::size_t count() const { return widths_.size(); }

 private:
  const Kernel& kernel_;
  std::vector<Width> widths_;
  std::vector<std::size_t> first_;  ///< number of the first register of each range
};

class Operands {
 public:
  Operands(const Module& module, const Program& program, Registers& registers)
      : module_(module), program_(program), registers_(registers) {}

  Ref destination(const Statement& s, const Operand& operand, Width width) const;
  Ref source(const Statement& s, const Operand& operand, Width width) const;
  Ref guard(const Statement& s) const;
  std::uint64_t number(const Statement& s, std::string_view text) const;
  /// Width of a register operand; nothing for other operands.
  std::optional<Width> register_width(const Operand& operand) const;
  /// Adds the register of [register + offset] to the node, or its whole address to the immediate operand and returns
  /// nothing.
  std::optional<Width> address(const Statement& s, const Operand& operand, Node& node) const;

  [[noreturn]] void fail(const Statement& s, std::string_view what) const;

 private:
  std::optional<std::uint64_t> address_of_variable(std::string_view name) const;

  const Module& module_;
  const Program& program_;
  Registers& registers_;
};

}  // namespace minception::simt::ptx
