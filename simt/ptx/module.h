#pragma once
/// PTX as text: the declarations of a module and the statements of its kernels (PTX ISA, "Syntax" and "State Spaces,
/// Types, and Variables").

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace minception::simt::ptx {

struct Operand {
  enum class Kind : std::uint8_t {
    name,     ///< register or variable
    number,   ///< integer or bits of a float
    address,  ///< [text + offset]
    vector,   ///< {parts}
    pair      ///< parts[0] | parts[1]
  };
  Kind kind = Kind::name;
  std::string_view text;
  std::int64_t offset = 0;
  std::vector<Operand> parts;
};

/// Source line of a statement, from `.loc`.
struct SourceLine {
  int file = 0;  ///< key of Module::files; 0: unknown
  int line = 0;
  int caller_file = 0;  ///< where the function is inlined; 0: not inlined
  int caller_line = 0;
};

struct Statement {
  int line = 0;            ///< in the PTX file
  std::string_view guard;  ///< predicate register of @p or @!p
  bool guard_negated = false;
  std::string_view opcode;
  std::vector<Operand> operands;
  SourceLine source;
};

struct Variable {
  std::string_view name;
  std::uint64_t bytes = 0;
  std::uint64_t alignment = 1;
  std::uint64_t offset = 0;           ///< in its state space
  bool dynamic = false;               ///< dynamic shared memory: an extern array without extent
  std::vector<std::uint8_t> initial;  ///< contents of .const and .global variables
};

/// Width of a register: predicate, 16, 32 or 64 bits. Predicates are kept as 32 bits, 0 or ~0.
enum class Width : char { predicate = 'p', half = 'h', word = 'w', double_word = 'd' };

/// 0 for predicates.
constexpr unsigned bits_of(Width width) {
  return width == Width::half ? 16 : width == Width::word ? 32 : width == Width::double_word ? 64 : 0;
}

/// `.reg .b32 %r<5>` declares %r0 to %r4; without a count, one register named `prefix`.
struct RegisterRange {
  std::string_view prefix;
  Width width;
  int count = 0;
  bool inner = false;  ///< declared in a scope { } inside the kernel
};

struct Kernel {
  std::string_view name;  ///< mangled
  int line = 0;
  std::vector<Variable> parameters;
  std::uint64_t parameter_bytes = 0;
  unsigned most_threads = 1024;  ///< .maxntid
  std::vector<RegisterRange> registers;
  std::vector<Variable> shared, local;
  std::vector<Statement> statements;
  std::map<std::string_view, std::size_t> labels;  ///< index of the statement that follows
};

/// The string views of a module and its kernels refer to its text, so a module is not movable.
struct Module {
  struct Entry {
    std::string_view name;  ///< mangled
    std::size_t begin = 0, end = 0;
    int line = 0;  ///< of `begin`
  };

  explicit Module(std::string file_, std::string text_) : file(std::move(file_)), text(std::move(text_)) {}
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  std::string file;
  std::string text;
  std::vector<Entry> entries;
  std::vector<Variable> shared;
  std::vector<Variable> global;                ///< .global and .const
  std::map<int, std::string_view> files;       ///< source files, by the number of `.file`
  std::vector<std::size_t> line_begin;         ///< of each line, from line 1 on
  std::string_view line_text(int line) const;  ///< without indentation
};

/// Finds the kernels of a module and parses its declarations. Throws Error: "adam.ptx:12: ...".
void parse_module(Module& module);

/// Parses one kernel.
Kernel parse_kernel(const Module& module, const Module::Entry& entry);

}  // namespace minception::simt::ptx
