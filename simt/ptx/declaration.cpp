#include "simt/ptx/declaration.h"
#include "core/error.h"

#include <bit>
#include <cstring>

namespace minception::simt::ptx {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 28;  ///< of a variable

/// Values of one element or of {a, b, ...}
void initial_values(Lexer& lexer, Variable& variable, std::uint64_t element) {
  variable.initial.resize(variable.bytes);
  std::uint64_t at = 0;
  const auto add = [&] {
    const std::uint64_t value = lexer.number();
    if (at + element > variable.bytes) lexer.fail(concat("too many initial values of ", variable.name));
    std::memcpy(variable.initial.data() + at, &value, element);
    at += element;
  };
  if (!lexer.accept("{")) return add();
  if (lexer.accept("}")) return;
  do {
    add();
  } while (lexer.accept(","));
  lexer.expect("}");
}

std::uint64_t alignment(Lexer& lexer) {
  const std::uint64_t value = lexer.integer_up_to(1u << 16);
  if (!std::has_single_bit(value)) lexer.fail(concat("the alignment ", value, " is not a power of two"));
  return value;
}

}  // namespace

std::uint64_t bytes_of_type(std::string_view type) {
  if (type == ".b8" || type == ".u8" || type == ".s8") return 1;
  if (type == ".b16" || type == ".u16" || type == ".s16" || type == ".f16") return 2;
  if (type == ".b32" || type == ".u32" || type == ".s32" || type == ".f32") return 4;
  if (type == ".b64" || type == ".u64" || type == ".s64" || type == ".f64") return 8;
  return 0;
}

Variable declaration(Lexer& lexer) {
  Variable result;
  std::uint64_t element = 0;
  bool aligned = false;
  while (lexer.peek().starts_with('.')) {
    if (lexer.accept(".align")) {
      result.alignment = alignment(lexer);
      aligned = true;
    } else if (lexer.accept(".ptr")) {  // .ptr [.global] [.align N] describes what a parameter points to
      for (const std::string_view space : {".global", ".shared", ".const", ".local"}) lexer.accept(space);
      if (lexer.accept(".align")) alignment(lexer);
    } else {
      element = bytes_of_type(lexer.peek());
      if (element == 0) lexer.fail(concat("unknown type ", lexer.peek()));
      lexer.take();
    }
  }
  if (element == 0) lexer.fail(concat("expected a type, not '", lexer.peek(), "'"));
  if (!aligned) result.alignment = element;
  result.name = lexer.take();
  result.bytes = element;
  while (lexer.accept("[")) {
    if (lexer.accept("]")) {
      result.dynamic = true;
      result.bytes = 0;
    } else {
      result.bytes *= lexer.integer_up_to(kMostBytes);
      if (result.bytes > kMostBytes) lexer.fail(concat(result.name, " has more than ", kMostBytes, " bytes"));
      lexer.expect("]");
    }
  }
  if (lexer.accept("=")) initial_values(lexer, result, element);
  return result;
}

Variable variable(Lexer& lexer) {
  Variable result = declaration(lexer);
  lexer.expect(";");
  return result;
}

}  // namespace minception::simt::ptx
