#pragma once
/// Assigns rows of the register file to virtual registers.

#include "simt/ptx/operands.h"

#include <cstddef>
#include <vector>

namespace minception::simt::ptx {

/// Intervals of instructions in which registers are live, one interval [begin, end] per register.
struct Liveness {
  static constexpr std::size_t kNever = ~std::size_t{0};
  std::vector<std::size_t> begin, end;  ///< begin is kNever for registers that are not used
};

/// `first_node[s]` is the node of statement s.
Liveness find_liveness(const std::vector<Node>& nodes, const std::vector<std::size_t>& first_node,
                       std::size_t registers);

/// Sets Program::code, rows and initial contents. Registers share a row if they are not live at the same time and have
/// the same width: rows of different widths would overlap in other lanes.
void assign_rows(Program& program, const std::vector<Node>& nodes, const std::vector<std::size_t>& first_node,
                 const Registers& registers);

}  // namespace minception::simt::ptx
