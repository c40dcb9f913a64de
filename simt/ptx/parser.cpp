/// PTX text -> Module and Kernel. Sizes and layouts are computed here; the decoder interprets the instructions.

#include "core/error.h"
#include "simt/ptx/lexer.h"
#include "simt/ptx/module.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>

namespace minception::simt::ptx {
namespace {

std::uint64_t bytes_of_type(std::string_view type) {
  if (type == ".b8" || type == ".u8" || type == ".s8") return 1;
  if (type == ".b16" || type == ".u16" || type == ".s16" || type == ".f16") return 2;
  if (type == ".b32" || type == ".u32" || type == ".s32" || type == ".f32") return 4;
  if (type == ".b64" || type == ".u64" || type == ".s64" || type == ".f64") return 8;
  return 0;
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// [.align N] .type name [ '[' extent ']' ]... [= initial values]
Variable declaration(Lexer& lexer) {
  Variable result;
  std::uint64_t element = 0;
  bool aligned = false;
  while (lexer.peek().starts_with('.')) {
    if (lexer.accept(".align")) {
      result.alignment = lexer.integer();
      aligned = true;
    } else if (lexer.accept(".ptr") || lexer.accept(".global") || lexer.accept(".shared")) {
      // attributes of pointer parameters
    } else {
      element = bytes_of_type(lexer.peek());
      if (element == 0) lexer.fail(concat("unknown type ", lexer.peek()));
      lexer.take();
    }
  }
  if (!aligned) result.alignment = element;
  result.name = lexer.take();
  result.bytes = element;
  while (lexer.accept("[")) {
    if (lexer.accept("]")) {
      result.dynamic = true;
      result.bytes = 0;
    } else {
      result.bytes *= lexer.integer();
      lexer.expect("]");
    }
  }
  if (!lexer.accept("=")) return result;
  result.initial.resize(result.bytes);
  std::size_t at = 0;
  const auto add = [&] {
    const std::uint64_t value = lexer.integer();
    if (at + element > result.bytes) lexer.fail(concat("too many initial values of ", result.name));
    std::memcpy(result.initial.data() + at, &value, element);
    at += element;
  };
  if (lexer.accept("{")) {
    while (!lexer.accept("}")) {
      add();
      lexer.accept(",");
    }
  } else {
    add();
  }
  return result;
}

Variable variable(Lexer& lexer) {
  Variable result = declaration(lexer);
  lexer.expect(";");
  return result;
}

class KernelParser {
 public:
  KernelParser(const Module& module, const Module::Entry& entry) : lexer_(module, entry.begin, entry.end, entry.line) {}

  Kernel run() {
    lexer_.accept(".visible");
    lexer_.accept(".weak");
    lexer_.expect(".entry");
    kernel_.line = lexer_.line();
    kernel_.name = lexer_.take();
    parameters();
    attributes();
    body();
    return std::move(kernel_);
  }

 private:
  void parameters() {
    if (!lexer_.accept("(")) return;
    while (!lexer_.accept(")")) {
      lexer_.expect(".param");
      Variable parameter = declaration(lexer_);
      parameter.offset = round_up(kernel_.parameter_bytes, parameter.alignment);
      kernel_.parameter_bytes = parameter.offset + parameter.bytes;
      kernel_.parameters.push_back(std::move(parameter));
      lexer_.accept(",");
    }
  }

  void attributes() {
    while (lexer_.peek() != "{") {
      if (lexer_.accept(".maxntid")) {
        std::uint64_t threads = lexer_.integer();
        while (lexer_.accept(",")) threads *= lexer_.integer();
        kernel_.most_threads = static_cast<unsigned>(threads);
      } else if (lexer_.peek() == ".minnctapersm" || lexer_.peek() == ".maxnreg") {
        lexer_.skip_line();
      } else {
        lexer_.fail(concat("unsupported kernel attribute ", lexer_.peek()));
      }
    }
  }

  void body() {
    lexer_.expect("{");
    for (int depth = 1; depth > 0;) {
      if (lexer_.accept("{")) {
        ++depth;
      } else if (lexer_.accept("}")) {
        --depth;
      } else if (lexer_.accept(".reg")) {
        if (depth > 1) lexer_.fail("registers of an inner scope are not supported");
        registers();
      } else if (lexer_.accept(".shared")) {
        kernel_.shared.push_back(variable(lexer_));
      } else if (lexer_.accept(".local")) {
        kernel_.local.push_back(variable(lexer_));
      } else if (lexer_.accept(".pragma")) {
        lexer_.skip_past(";");
      } else if (lexer_.peek() == ".loc") {
        location();
      } else if (lexer_.peek(1) == ":") {
        kernel_.labels[lexer_.take()] = kernel_.statements.size();
        lexer_.take();
      } else {
        kernel_.statements.push_back(statement());
      }
    }
  }

  void registers() {
    const std::string_view type = lexer_.take();
    Width width = Width::predicate;
    if (type != ".pred") {
      switch (bytes_of_type(type)) {
        case 2:
          width = Width::half;
          break;
        case 4:
          width = Width::word;
          break;
        case 8:
          width = Width::double_word;
          break;
        default:
          lexer_.fail(concat("unsupported register type ", type));
      }
    }
    do {
      RegisterRange range{lexer_.take(), width, 0};
      if (lexer_.accept("<")) {
        range.count = static_cast<int>(lexer_.integer());
        lexer_.expect(">");
      }
      kernel_.registers.push_back(range);
    } while (lexer_.accept(","));
    lexer_.expect(";");
  }

  /// .loc FILE LINE COLUMN [, function_name LABEL[+N], inlined_at FILE LINE COLUMN]
  void location() {
    const int here = lexer_.line();
    const auto number = [&] { return static_cast<int>(lexer_.integer()); };
    lexer_.take();
    source_ = {};
    source_.file = number();
    source_.line = number();
    number();
    while (!lexer_.at_end() && lexer_.line() == here && lexer_.peek() == ",") {
      lexer_.take();
      if (lexer_.accept("inlined_at")) {
        source_.caller_file = number();
        source_.caller_line = number();
        number();
      } else {  // function_name
        while (lexer_.line() == here && lexer_.peek() != ",") lexer_.take();
      }
    }
  }

  Statement statement() {
    Statement result;
    result.line = lexer_.line();
    result.source = source_;
    if (lexer_.accept("@")) {
      result.guard_negated = lexer_.accept("!");
      result.guard = lexer_.take();
    }
    result.opcode = lexer_.take();
    if (std::islower(static_cast<unsigned char>(result.opcode[0])) == 0) {
      lexer_.fail(concat("expected an instruction, not '", result.opcode, "'"));
    }
    while (!lexer_.accept(";")) {
      result.operands.push_back(operand());
      lexer_.accept(",");
    }
    return result;
  }

  /// The sign of a number is a token of its own, adjacent in the text.
  std::string_view name_or_number() {
    const std::string_view first = lexer_.take();
    if (first != "-") return first;
    const std::string_view digits = lexer_.take();
    return {first.data(), static_cast<std::size_t>(digits.data() + digits.size() - first.data())};
  }

  std::int64_t offset() {
    if (lexer_.accept("-")) return -static_cast<std::int64_t>(lexer_.integer());
    if (!lexer_.accept("+")) return 0;
    const bool negative = lexer_.accept("-");  // nvcc writes [%r1+-4]
    const auto value = static_cast<std::int64_t>(lexer_.integer());
    return negative ? -value : value;
  }

  Operand operand() {
    Operand result;
    if (lexer_.accept("[")) {
      result.kind = Operand::Kind::address;
      result.text = name_or_number();
      result.offset = offset();
      lexer_.expect("]");
      return result;
    }
    if (lexer_.accept("{")) {
      result.kind = Operand::Kind::vector;
      while (!lexer_.accept("}")) {
        result.parts.push_back(operand());
        lexer_.accept(",");
      }
      return result;
    }
    result.text = name_or_number();
    const char first = result.text[0];
    const bool number = std::isdigit(static_cast<unsigned char>(first)) != 0 || first == '-';
    result.kind = number ? Operand::Kind::number : Operand::Kind::name;
    if (lexer_.accept("|")) {
      Operand pair;
      pair.kind = Operand::Kind::pair;
      pair.parts = {result, operand()};
      return pair;
    }
    if (!number) result.offset = offset();
    return result;
  }

  Lexer lexer_;
  Kernel kernel_;
  SourceLine source_;
};

/// Position after the '}' that closes the first '{' at or after `begin`. Strings with braces do not occur in kernels.
std::size_t end_of_block(const Module& module, std::size_t begin) {
  int depth = 0;
  for (std::size_t i = module.text.find('{', begin); i < module.text.size(); ++i) {
    if (module.text[i] == '{') ++depth;
    if (module.text[i] == '}' && --depth == 0) return i + 1;
  }
  fail(module.file, ": a block is not closed");
}

void parse_declarations(Module& module, std::size_t begin, std::size_t end, int line) {
  Lexer lexer(module, begin, end, line);
  while (!lexer.at_end()) {
    const std::string_view word = lexer.peek();
    if (word == ".version" || word == ".target" || word == ".address_size") {
      lexer.skip_line();
    } else if (word == ".file") {
      const std::string_view number = lexer.peek(1);
      const std::string_view name = lexer.peek(2);
      int key = 0;
      std::from_chars(number.data(), number.data() + number.size(), key);
      if (name.size() >= 2) module.files[key] = name.substr(1, name.size() - 2);
      lexer.skip_line();
    } else if (word == ".visible" || word == ".weak" || word == ".extern") {
      lexer.take();
    } else if (word == ".shared") {
      lexer.take();
      module.shared.push_back(variable(lexer));
    } else if (word == ".global" || word == ".const") {
      lexer.take();
      module.global.push_back(variable(lexer));
      Variable& added = module.global.back();
      added.initial.resize(added.bytes);
    } else if (word == ".section") {
      while (lexer.peek() != "{") lexer.take();
      lexer.skip_block();
    } else {
      lexer.fail(concat("unsupported module directive '", word, "'"));
    }
  }
}

}  // namespace

std::string_view Module::line_text(int line) const {
  if (line < 1 || static_cast<std::size_t>(line) > line_begin.size()) return {};
  std::string_view rest = std::string_view(text).substr(line_begin[static_cast<std::size_t>(line) - 1]);
  rest = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  return rest;
}

void parse_module(Module& module) {
  const std::string_view text = module.text;
  for (std::size_t at = 0; at < text.size(); at = std::min(text.find('\n', at), text.size()) + 1) {
    module.line_begin.push_back(at);
  }
  std::size_t begin = 0;
  int line = 1;
  const auto advance = [&](std::size_t to) {
    line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                        text.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    begin = to;
  };
  while (begin < text.size()) {
    const std::size_t entry = text.find(".entry ", begin);
    std::size_t first = std::min(entry, text.size());
    if (entry != std::string_view::npos) {
      first = text.rfind('\n', entry) + 1;  // includes .visible; 0 in the first line
    }
    parse_declarations(module, begin, first, line);
    advance(first);
    if (entry == std::string_view::npos) break;
    const std::size_t name = entry + 7;
    const std::size_t end = end_of_block(module, entry);
    module.entries.push_back({text.substr(name, text.find_first_of("( \n", name) - name), first, end, line});
    advance(end);
  }
}

Kernel parse_kernel(const Module& module, const Module::Entry& entry) { return KernelParser(module, entry).run(); }

}  // namespace minception::simt::ptx
