#pragma once
/// A kernel as the engine executes it: instructions whose operands are rows of a register file.

#include "simt/ptx/module.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minception::simt::ptx {

inline constexpr unsigned kLanes = 32;

struct Warp;
struct Instruction;

/// Executes an instruction for the active lanes of a warp. Returns the next instruction, or Warp::end to have the
/// active lanes chosen anew.
using Handler = const Instruction* (*)(Warp&, const Instruction*);

struct Instruction {
  Handler run = nullptr;
  std::uint32_t row[4] = {};            ///< byte offsets of operands in the register file, destination first
  const std::uint32_t* rows = nullptr;  ///< the same for handlers with more operands
  std::int64_t immediate = 0;           ///< offset of an address, target of a branch, constant operand
  std::uint32_t option = 0;             ///< defined by the handler
  std::uint32_t statement = 0;          ///< index in Kernel::statements
};

/// Special registers. They occupy rows like others.
enum class Special : std::uint8_t {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  laneid,
  count
};

struct Program {
  const Module* module = nullptr;
  Kernel kernel;
  std::string name;  ///< demangled
  std::vector<Instruction> code;
  std::vector<std::unique_ptr<std::uint32_t[]>> row_lists;  ///< arrays of Instruction::rows
  std::size_t register_bytes = 0;                           ///< of one warp

  // Initial contents of rows.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> words;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> double_words;
  std::array<std::uint32_t, static_cast<std::size_t>(Special::count)> special{};  ///< rows; 0: not used

  std::vector<Variable> shared;     ///< with offsets, ascending
  std::uint64_t static_shared = 0;  ///< bytes of the static variables without gaps
  std::uint64_t shared_bytes = 0;   ///< end of the static variables: where dynamic shared memory begins
  std::vector<Variable> local;
  std::uint64_t local_bytes = 0;

  /// Row of each declared register, in the order of Kernel::registers; kNoRow if it is never used.
  static constexpr std::uint32_t kNoRow = ~0u;
  std::vector<std::uint32_t> register_rows;

  const Statement& statement(const Instruction& instruction) const { return kernel.statements[instruction.statement]; }
};

/// Throws Error that names the first unsupported instruction and its line.
std::unique_ptr<Program> decode(const Module& module, const Module::Entry& entry);

/// All unsupported instructions of a kernel: "adam.ptx:120: ...".
std::vector<std::string> unsupported_instructions(const Module& module, const Module::Entry& entry);

/// "kernels/cuda/vector.h:30 (in kernels/cuda/adam.cu:31)"; empty without line information (nvcc -lineinfo).
std::string source_position(const Program& program, const Instruction& instruction);
/// The same with the line of the PTX: "kernels/cuda/adam.cu:31, adam.cu.ptx:120".
std::string position_of(const Program& program, const Instruction& instruction);

}  // namespace minception::simt::ptx
