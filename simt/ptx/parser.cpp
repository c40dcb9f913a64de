/// PTX text -> Module and Kernel. Sizes and layouts are computed here; the decoder interprets the instructions.

#include "core/error.h"
#include "simt/ptx/declaration.h"
#include "simt/ptx/lexer.h"
#include "simt/ptx/module.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

namespace minception::simt::ptx {
namespace {

constexpr std::uint64_t kMostParameterBytes = 32764;  ///< CUDA's limit since 12.1
constexpr std::uint64_t kMostRegisters = 1u << 17;    ///< nvcc's kernels declare thousands

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
      if (kernel_.parameter_bytes > kMostParameterBytes) {
        lexer_.fail(concat("the parameters have more than ", kMostParameterBytes, " bytes"));
      }
      kernel_.parameters.push_back(std::move(parameter));
      if (lexer_.peek() != ")") lexer_.expect(",");
    }
  }

  void attributes() {
    while (lexer_.peek() != "{") {
      if (lexer_.accept(".maxntid")) {
        std::uint64_t threads = lexer_.integer_up_to(1024);
        for (int k = 0; k < 2 && lexer_.accept(","); ++k) threads *= lexer_.integer_up_to(1024);
        kernel_.most_threads = static_cast<unsigned>(threads);
      } else if (lexer_.accept(".minnctapersm") || lexer_.accept(".maxnreg")) {
        lexer_.integer();
      } else {
        lexer_.fail(concat("unsupported kernel attribute ", lexer_.peek()));
      }
    }
  }

  void body() {
    lexer_.expect("{");
    Statement end;  // the end of the body returns
    end.opcode = "ret";
    for (int depth = 1; depth > 0;) {
      end.line = lexer_.line();
      if (lexer_.accept("{")) {
        ++depth;
      } else if (lexer_.accept("}")) {
        --depth;
      } else if (lexer_.accept(".reg")) {
        registers(depth > 1);
      } else if (lexer_.accept(".shared")) {
        kernel_.shared.push_back(variable(lexer_));
      } else if (lexer_.accept(".local")) {
        kernel_.local.push_back(variable(lexer_));
      } else if (lexer_.accept(".pragma")) {
        lexer_.skip_past(";");
      } else if (lexer_.peek() == ".loc") {
        location();
      } else if (lexer_.peek(1) == ":") {
        const bool is_new = kernel_.labels.try_emplace(lexer_.peek(), kernel_.statements.size()).second;
        if (!is_new) lexer_.fail(concat("the label ", lexer_.peek(), " is defined twice"));
        lexer_.take();
        lexer_.take();
      } else if (lexer_.peek() == ".param" || lexer_.peek().starts_with("call")) {
        lexer_.fail("calls of functions are not supported: declare the function __forceinline__");
      } else {
        kernel_.statements.push_back(statement());
      }
    }
    kernel_.statements.push_back(end);
  }

  void registers(bool inner) {
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
      RegisterRange range{lexer_.take(), width, 0, inner};
      if (lexer_.accept("<")) {
        range.count = static_cast<int>(lexer_.integer_up_to(kMostRegisters));
        if (range.count == 0) lexer_.fail("expected at least one register");
        lexer_.expect(">");
      }
      add(range);
    } while (lexer_.accept(","));
    lexer_.expect(";");
  }

  /// Scopes may declare the same names: each leaves the values of the others undefined, so they can share registers.
  void add(const RegisterRange& range) {
    for (const RegisterRange& other : kernel_.registers) {
      if (other.prefix != range.prefix) continue;
      const bool same = other.inner && range.inner && other.width == range.width && other.count == range.count;
      if (!same) lexer_.fail(concat("the registers ", range.prefix, " are declared twice"));
      return;
    }
    registers_ += static_cast<std::uint64_t>(std::max(range.count, 1));
    if (registers_ > kMostRegisters) lexer_.fail(concat("more than ", kMostRegisters, " registers"));
    kernel_.registers.push_back(range);
  }

  /// .loc FILE LINE COLUMN [, function_name LABEL[+N], inlined_at FILE LINE COLUMN]
  void location() {
    const int here = lexer_.line();
    const auto number = [&] { return static_cast<int>(lexer_.integer_up_to(std::numeric_limits<int>::max())); };
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
    if (lexer_.accept(";")) return result;
    do {
      result.operands.push_back(operand());
    } while (lexer_.accept(","));
    lexer_.expect(";");
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
    if (!lexer_.accept("+") && lexer_.peek() != "-") return 0;
    const bool negative = lexer_.accept("-");  // nvcc writes [%r1+-4]
    const std::uint64_t value = lexer_.integer();
    return static_cast<std::int64_t>(negative ? 0 - value : value);
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
      do {
        result.parts.push_back(element());
      } while (lexer_.accept(","));
      lexer_.expect("}");
      return result;
    }
    result = element();
    if (!lexer_.accept("|")) return result;
    Operand pair;
    pair.kind = Operand::Kind::pair;
    pair.parts = {result, element()};
    return pair;
  }

  /// Name, name + offset or number
  Operand element() {
    Operand result;
    if (lexer_.peek() == "!") lexer_.fail("negated operands are not supported");
    result.text = name_or_number();
    const char first = result.text[0];
    const bool number = std::isdigit(static_cast<unsigned char>(first)) != 0 || first == '-';
    result.kind = number ? Operand::Kind::number : Operand::Kind::name;
    if (!number) result.offset = offset();
    return result;
  }

  Lexer lexer_;
  Kernel kernel_;
  SourceLine source_;
  std::uint64_t registers_ = 0;
};

/// Position after the '}' that closes the first '{' at or after `begin`. Strings with braces do not occur in kernels.
std::size_t end_of_block(const Module& module, std::size_t begin, int line) {
  int depth = 0;
  for (std::size_t i = module.text.find('{', begin); i < module.text.size(); ++i) {
    if (module.text[i] == '{') ++depth;
    if (module.text[i] == '}' && --depth == 0) return i + 1;
  }
  fail(module.file, ':', line, ": the kernel has no closing brace");
}

void parse_declarations(Module& module, std::size_t begin, std::size_t end, int line) {
  Lexer lexer(module, begin, end, line);
  bool is_extern = false;
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
      is_extern = word == ".extern";
      lexer.take();
      continue;
    } else if (word == ".func") {  // kernels that call it are errors
      while (lexer.peek() != "{" && lexer.peek() != ";") lexer.take();
      if (!lexer.accept(";")) lexer.skip_block();
    } else if (word == ".shared") {
      lexer.take();
      module.shared.push_back(variable(lexer));
    } else if (word == ".global" || word == ".const") {
      if (is_extern) lexer.fail("variables of other modules are not supported");
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
    is_extern = false;
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
      first = std::max(begin, text.rfind('\n', entry) + 1);  // includes .visible; 0 in the first line
    }
    parse_declarations(module, begin, first, line);
    advance(first);
    if (entry == std::string_view::npos) break;
    const std::size_t name = entry + 7;
    const std::size_t end = end_of_block(module, entry, line);
    module.entries.push_back({text.substr(name, text.find_first_of("( \n", name) - name), first, end, line});
    advance(end);
  }
}

Kernel parse_kernel(const Module& module, const Module::Entry& entry) { return KernelParser(module, entry).run(); }

}  // namespace minception::simt::ptx
