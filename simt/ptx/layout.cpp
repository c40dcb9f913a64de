#include "simt/ptx/layout.h"
#include "core/error.h"
#include "simt/ptx/declaration.h"

#include <set>
#include <string_view>
#include <utility>

namespace minception::simt::ptx {
namespace {

constexpr std::uint64_t kGap = 64;                ///< detects accesses out of bounds
constexpr std::uint64_t kMostLocal = 512 * 1024;  ///< bytes of local memory per thread, CUDA's limit

}  // namespace

void lay_out_memory(const Module& module, Program& program) {
  std::set<std::string_view> named;
  for (const Statement& statement : program.kernel.statements) {
    for (const Operand& operand : statement.operands) named.insert(operand.text);
  }
  std::uint64_t end = kGap;
  const auto place = [&](Variable variable) {
    // An odd multiple of the alignment: accesses that need more are misaligned.
    const std::uint64_t units = round_up(end, variable.alignment) / variable.alignment;
    variable.offset = (units | 1) * variable.alignment;
    end = variable.offset + (variable.dynamic ? 0 : variable.bytes + kGap);
    program.static_shared += variable.bytes;
    program.shared.push_back(std::move(variable));
  };
  const Variable* dynamic = nullptr;
  for (const Variable& variable : program.kernel.shared) place(variable);
  for (const Variable& variable : module.shared) {
    if (!named.contains(variable.name)) continue;
    if (variable.dynamic) {
      dynamic = &variable;
    } else {
      place(variable);
    }
  }
  if (dynamic != nullptr) place(*dynamic);
  program.shared_bytes = end;
  for (Variable variable : program.kernel.local) {
    variable.offset = round_up(program.local_bytes, variable.alignment);
    program.local_bytes = variable.offset + variable.bytes;
    program.local.push_back(std::move(variable));
  }
  require(program.local_bytes <= kMostLocal, module.file, ':', program.kernel.line, ": the kernel needs ",
          program.local_bytes, " bytes of local memory per thread; the limit is ", kMostLocal);
}

}  // namespace minception::simt::ptx
