#include "simt/ptx/trace.h"
#include "simt/ptx/operands.h"
#include "simt/ptx/warp.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>

namespace minception::simt::ptx {
namespace {

/// "7" or "1.0.2" -> linear number.
std::size_t place(std::string_view text, const Extent3& extent, std::string_view what, std::string_view whole) {
  std::size_t part[3] = {};
  std::size_t count = 0;
  std::string_view rest = text;
  const auto bad = [&] {
    fail("trace ", whole, ": ", what, " must be a number or x.y.z inside ", extent.x, " x ", extent.y, " x ", extent.z,
         ", not '", text, "'");
  };
  while (count < 3) {
    const auto result = std::from_chars(rest.data(), rest.data() + rest.size(), part[count++]);
    if (result.ec != std::errc()) bad();
    rest.remove_prefix(static_cast<std::size_t>(result.ptr - rest.data()));
    if (!rest.starts_with('.')) break;
    rest.remove_prefix(1);
  }
  const bool inside =
      count == 1 ? part[0] < extent.count() : part[0] < extent.x && part[1] < extent.y && part[2] < extent.z;
  if (!rest.empty() || !inside) bad();
  return count == 1 ? part[0] : (part[2] * extent.y + part[1]) * extent.x + part[0];
}

/// "%f3=0.25" or "%r1=7 (0x7)"
std::string register_text(const Warp& warp, const Registers& registers, std::string_view name, bool is_float,
                          unsigned lane) {
  const auto number = registers.find(name);
  if (!number) return {};
  const std::uint32_t offset = warp.block->program->register_rows[*number];
  if (offset == Program::kNoRow) return {};
  char text[96];
  const int length = static_cast<int>(name.size());
  switch (registers.width(*number)) {
    case Width::predicate:
      std::snprintf(text, sizeof(text), "%.*s=%s", length, name.data(),
                    row<std::uint32_t>(warp, offset)[lane] != 0 ? "true" : "false");
      break;
    case Width::half:
      std::snprintf(text, sizeof(text), "%.*s=0x%04x", length, name.data(), row<std::uint16_t>(warp, offset)[lane]);
      break;
    case Width::word:
      if (is_float) {
        std::snprintf(text, sizeof(text), "%.*s=%.9g", length, name.data(),
                      static_cast<double>(row<float>(warp, offset)[lane]));
      } else {
        const auto value = row<std::uint32_t>(warp, offset)[lane];
        std::snprintf(text, sizeof(text), "%.*s=%" PRId32 " (0x%" PRIx32 ")", length, name.data(),
                      static_cast<std::int32_t>(value), value);
      }
      break;
    case Width::double_word:
      if (is_float) {
        std::snprintf(text, sizeof(text), "%.*s=%.17g", length, name.data(), row<double>(warp, offset)[lane]);
      } else {
        std::snprintf(text, sizeof(text), "%.*s=0x%" PRIx64, length, name.data(),
                      row<std::uint64_t>(warp, offset)[lane]);
      }
      break;
  }
  return text;
}

struct Name {
  std::string_view text;
  bool is_address;
};

void collect_names(const Operand& operand, std::vector<Name>& names) {
  if (!operand.text.empty()) names.push_back({operand.text, operand.kind == Operand::Kind::address});
  for (const Operand& part : operand.parts) collect_names(part, names);
}

/// A line of PTX without comments, each tab or run of blanks as one blank.
std::string tidy(std::string_view line) {
  std::string text;
  for (const char c : line.substr(0, line.find("//"))) {
    const bool blank = c == ' ' || c == '\t';
    if (!blank) text += c;
    if (blank && !text.empty() && text.back() != ' ') text += ' ';
  }
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace

std::unique_ptr<const TraceRequest> trace_request(std::string_view text, std::string_view kernel, const Extent3& grid,
                                                  const Extent3& block) {
  if (text.empty()) return nullptr;
  const std::size_t last = text.rfind(',');
  const std::size_t before = last == 0 || last == std::string_view::npos ? last : text.rfind(',', last - 1);
  require(before != std::string_view::npos && before != last, "trace ", text,
          ": must be KERNEL,BLOCK,THREAD, for example relu_forward,0,31");
  if (kernel.find(text.substr(0, before)) == std::string_view::npos) return nullptr;
  auto request = std::make_unique<TraceRequest>();
  request->block = place(text.substr(before + 1, last - before - 1), grid, "BLOCK", text);
  request->thread = static_cast<unsigned>(place(text.substr(last + 1), block, "THREAD", text));
  return request;
}

const Instruction* run_traced(Warp& warp, const Instruction* instruction, unsigned lane) {
  const bool takes_part = (warp.mask >> lane & 1u) != 0;
  if (!takes_part) return instruction->run(warp, instruction);
  const Program& program = *warp.block->program;
  const Statement& s = program.statement(*instruction);
  const Registers registers(program.kernel);
  const bool is_float =
      s.opcode.find(".f32") != std::string_view::npos || s.opcode.find(".f64") != std::string_view::npos;
  const bool has_destination = !s.opcode.starts_with("st.") && !s.opcode.starts_with("bra") &&
                               !s.opcode.starts_with("red.") && !s.opcode.starts_with("cp.");
  std::vector<Name> written, read;
  for (std::size_t k = 0; k < s.operands.size(); ++k) {
    collect_names(s.operands[k], k == 0 && has_destination ? written : read);
  }
  if (!s.guard.empty()) read.push_back({s.guard, false});
  const auto values = [&](const std::vector<Name>& names) {
    std::string text;
    for (const Name& name : names) {
      const std::string value = register_text(warp, registers, name.text, is_float && !name.is_address, lane);
      if (!value.empty()) text += concat(text.empty() ? "" : ", ", value);
    }
    return text;
  };
  const std::string before = values(read);
  const Instruction* next = instruction->run(warp, instruction);
  // A predicate branches over its instruction: only one of the two prints.
  const bool skips =
      !s.guard.empty() && !s.opcode.starts_with("bra") && instruction->run == branch_handler(true, !s.guard_negated);
  if (skips && next == instruction + 1) return next;
  const std::string after = skips ? std::string("skipped") : values(written);
  std::string position = source_position(program, *instruction);
  position = position.empty() ? concat(program.module->file, ':', s.line) : position.substr(0, position.find(" ("));
  std::fprintf(stderr, "%-34s %-46s %s%s%s\n", position.c_str(), tidy(program.module->line_text(s.line)).c_str(),
               after.c_str(), after.empty() || before.empty() ? "" : " <- ", before.c_str());
  return next;
}

}  // namespace minception::simt::ptx
