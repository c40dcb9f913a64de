#include "simt/ptx/operands.h"
#include "core/error.h"
#include "simt/ptx/lexer.h"

#include <algorithm>
#include <charconv>

namespace minception::simt::ptx {

// ---- registers ------------------------------------------------------------------------------------------------------

Registers::Registers(const Kernel& kernel) : kernel_(kernel) {
  for (const RegisterRange& range : kernel.registers) {
    first_.push_back(widths_.size());
    widths_.insert(widths_.end(), static_cast<std::size_t>(std::max(range.count, 1)), range.width);
  }
}

std::optional<std::size_t> Registers::find(std::string_view name) const {
  for (std::size_t k = 0; k < first_.size(); ++k) {
    const RegisterRange& range = kernel_.registers[k];
    if (!name.starts_with(range.prefix)) continue;
    const std::string_view digits = name.substr(range.prefix.size());
    if (range.count == 0) {
      if (digits.empty()) return first_[k];
      continue;
    }
    unsigned number = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (result.ec != std::errc() || result.ptr != digits.data() + digits.size()) continue;
    if (number < static_cast<unsigned>(range.count)) return first_[k] + number;
  }
  return std::nullopt;
}

// ---- operands -------------------------------------------------------------------------------------------------------

namespace {

Ref constant(Width width, std::uint64_t value) {
  switch (width) {
    case Width::predicate:
      return {Ref::Kind::word, value != 0 ? 0xffffffffu : 0u};
    case Width::half:
      return {Ref::Kind::half, value & 0xffffu};
    case Width::word:
      return {Ref::Kind::word, value & 0xffffffffu};
    case Width::double_word:
      break;
  }
  return {Ref::Kind::double_word, value};
}

std::optional<Special> special_register(std::string_view name) {
  static constexpr std::string_view kNames[] = {"%tid.x",    "%tid.y",    "%tid.z",   "%ntid.x",  "%ntid.y",
                                                "%ntid.z",   "%ctaid.x",  "%ctaid.y", "%ctaid.z", "%nctaid.x",
                                                "%nctaid.y", "%nctaid.z", "%laneid"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Special::count));
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<Special>(found - std::begin(kNames));
}

bool has_prefix(std::string_view text, std::string_view lower, std::string_view upper) {
  return text.starts_with(lower) || text.starts_with(upper);
}

}  // namespace

void Operands::fail(const Statement& s, std::string_view what) const {
  minception::fail(module_.file, ':', s.line, ": ", what, ": ", module_.line_text(s.line));
}

std::optional<std::uint64_t> Operands::address_of_variable(std::string_view name) const {
  for (const auto* list : {&program_.shared, &program_.local, &program_.kernel.parameters}) {
    const auto found = std::find_if(list->begin(), list->end(), [&](const Variable& v) { return v.name == name; });
    if (found != list->end()) return found->offset;
  }
  for (const Variable& variable : module_.global) {
    if (variable.name == name) return reinterpret_cast<std::uint64_t>(variable.initial.data());
  }
  return std::nullopt;
}

Ref Operands::destination(const Statement& s, const Operand& operand, Width width) const {
  const auto number = operand.kind == Operand::Kind::name ? registers_.find(operand.text) : std::nullopt;
  if (!number) fail(s, "expected a register");
  if (registers_.width(*number) != width) fail(s, concat("the register ", operand.text, " has another width"));
  return {Ref::Kind::reg, *number};
}

std::uint64_t Operands::number(const Statement& s, std::string_view text) const {
  const auto value = bits_of_number(text);
  if (!value) fail(s, concat("expected a number, not '", text, "'"));
  return *value;
}

Ref Operands::source(const Statement& s, const Operand& operand, Width width) const {
  if (operand.kind == Operand::Kind::number) {
    if ((has_prefix(operand.text, "0f", "0F") && width != Width::word) ||
        (has_prefix(operand.text, "0d", "0D") && width != Width::double_word)) {
      fail(s, concat("the number ", operand.text, " has another width"));
    }
    return constant(width, number(s, operand.text));
  }
  if (operand.kind != Operand::Kind::name) fail(s, "unsupported form of an operand");
  if (registers_.find(operand.text)) {
    if (operand.offset != 0) fail(s, "an offset of a register that is not an address");
    return destination(s, operand, width);
  }
  if (const auto special = special_register(operand.text)) {
    if (width != Width::word) fail(s, concat("the register ", operand.text, " has another width"));
    return {Ref::Kind::special, static_cast<std::uint64_t>(*special)};
  }
  const auto address = address_of_variable(operand.text);
  if (!address) fail(s, concat("unknown name '", operand.text, "'"));
  return constant(width, *address + static_cast<std::uint64_t>(operand.offset));
}

Ref Operands::guard(const Statement& s) const {
  Operand operand;
  operand.text = s.guard;
  return source(s, operand, Width::predicate);
}

std::optional<Width> Operands::register_width(const Operand& operand) const {
  const auto number = registers_.find(operand.text);
  return number ? std::optional(registers_.width(*number)) : std::nullopt;
}

std::optional<Width> Operands::address(const Statement& s, const Operand& operand, Node& node) const {
  if (operand.kind != Operand::Kind::address) fail(s, "expected an address");
  node.instruction.immediate = operand.offset;
  if (const auto width = register_width(operand)) {
    Operand base = operand;
    base.kind = Operand::Kind::name;
    node.refs.push_back(destination(s, base, *width));
    return width;
  }
  const auto known = address_of_variable(operand.text);
  node.instruction.immediate += static_cast<std::int64_t>(known ? *known : number(s, operand.text));
  return std::nullopt;
}

}  // namespace minception::simt::ptx
