#pragma once
/// Declarations of variables and parameters.

#include "simt/ptx/lexer.h"
#include "simt/ptx/module.h"

#include <cstdint>
#include <string_view>

namespace minception::simt::ptx {

/// Bytes of a value of a type such as ".u32"; 0 if the type is unknown.
std::uint64_t bytes_of_type(std::string_view type);

/// Parses [.align N] .type name [ '[' extent ']' ]... [= initial values]
Variable declaration(Lexer& lexer);

/// Parses a declaration and its semicolon.
Variable variable(Lexer& lexer);

inline std::uint64_t round_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

}  // namespace minception::simt::ptx
