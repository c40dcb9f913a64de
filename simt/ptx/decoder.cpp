/// Kernel -> Program: finds the handler and the operands of every statement.

#include "core/error.h"
#include "simt/ptx/allocation.h"
#include "simt/ptx/layout.h"
#include "simt/ptx/names.h"
#include "simt/ptx/operands.h"
#include "simt/ptx/warp.h"

#include <algorithm>
#include <utility>

namespace minception::simt::ptx {
namespace {

std::vector<std::string_view> split(std::string_view opcode) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t dot = opcode.find('.');
    parts.push_back(opcode.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    opcode.remove_prefix(dot + 1);
  }
}

class Decoder {
 public:
  Decoder(const Module& module, const Module::Entry& entry)
      : module_(module),
        program_(std::make_unique<Program>()),
        registers_(make_kernel(entry)),
        operands_(module, *program_, registers_) {
    lay_out_memory(module, *program_);
  }

  std::unique_ptr<Program> run() {
    for (const Statement& statement : program_->kernel.statements) {
      first_node_.push_back(nodes_.size());
      decode(statement);
    }
    assign_rows(*program_, nodes_, first_node_, registers_);
    return std::move(program_);
  }

  std::vector<std::string> unsupported() {
    std::vector<std::string> lines;
    for (const Statement& statement : program_->kernel.statements) {
      try {
        decode(statement);
      } catch (const Error& error) {
        lines.emplace_back(error.what());
      }
    }
    return lines;
  }

 private:
  using Parts = std::vector<std::string_view>;

  const Kernel& make_kernel(const Module::Entry& entry) {
    program_->module = &module_;
    program_->kernel = parse_kernel(module_, entry);
    program_->name = demangled(entry.name);
    return program_->kernel;
  }

  // ---- statements ---------------------------------------------------------------------------------------------------

  void decode(const Statement& s) {
    const std::string_view base = s.opcode.substr(0, s.opcode.find('.'));
    const auto number = static_cast<std::uint32_t>(&s - program_->kernel.statements.data());
    if (!s.guard.empty() && base != "bra") {  // branch over the instruction
      Node skip;
      skip.instruction.statement = number;
      skip.instruction.run = branch_handler(true, !s.guard_negated);
      skip.refs.push_back(operands_.guard(s));
      skip.target = static_cast<std::ptrdiff_t>(number) + 1;
      nodes_.push_back(std::move(skip));
    }
    Node node;
    node.instruction.statement = number;
    const bool moves_vector =
        base == "mov" && s.operands.size() == 2 &&
        (s.operands[0].kind == Operand::Kind::vector || s.operands[1].kind == Operand::Kind::vector);
    const auto found = opcodes().find(s.opcode);
    if (base == "cvt" && extends_integers(s)) {
      integer_conversion(s, node);
    } else if (found != opcodes().end() && !moves_vector) {
      arithmetic(s, node, found->second);
    } else {
      special_form(s, node, split(s.opcode));
    }
    if (node.instruction.run == nullptr) operands_.fail(s, "unsupported instruction");
    nodes_.push_back(std::move(node));
  }

  void arithmetic(const Statement& s, Node& node, const Opcode& opcode) {
    const std::string_view widths = opcode.widths;
    expect_operands(s, widths.size());
    node.instruction.run = opcode.run;
    add_destination(s, s.operands[0], static_cast<Width>(widths[0]), node);
    for (std::size_t k = 1; k < widths.size(); ++k) {
      node.refs.push_back(operands_.source(s, s.operands[k], static_cast<Width>(widths[k])));
    }
    node.list = widths.size() > 4;
  }

  /// Whether s is a cvt between integers that the table lacks, because a register is wider than its type:
  /// cvt.s32.s8 %r1, %r2.
  bool extends_integers(const Statement& s) const {
    const Parts parts = split(s.opcode);
    if (parts.size() != 3 || s.operands.size() != 2) return false;
    for (std::size_t k = 0; k < 2; ++k) {
      const auto width = operands_.register_width(s.operands[k]);
      const unsigned bits = integer_type(parts[k + 1]).bits;
      if (bits == 0 || integer_type(parts[2 - k]).bits == 0 || !width) return false;
      if (bits_of(*width) > bits) return true;
    }
    return false;
  }

  void integer_conversion(const Statement& s, Node& node) const {
    const Parts parts = split(s.opcode);
    const IntegerType types[] = {integer_type(parts[1]), integer_type(parts[2])};
    Width widths[2];
    for (std::size_t k = 0; k < 2; ++k) {
      widths[k] = *operands_.register_width(s.operands[k]);
      if (bits_of(widths[k]) < types[k].bits)
        operands_.fail(s, concat("the register ", s.operands[k].text, " is too narrow"));
    }
    add_destination(s, s.operands[0], widths[0], node);
    node.refs.push_back(operands_.source(s, s.operands[1], widths[1]));
    node.instruction.run = integer_conversion_handler(widths[0], widths[1]);
    node.instruction.option = integer_conversion_option(types[0], types[1]);
  }

  void expect_operands(const Statement& s, std::size_t count) const {
    if (s.operands.size() != count) operands_.fail(s, concat("expected ", count, " operands"));
  }
  void add_destination(const Statement& s, const Operand& operand, Width width, Node& node) const {
    node.written |= 1u << node.refs.size();
    node.refs.push_back(operands_.destination(s, operand, width));
  }

  /// Instructions that need more than a table entry. Leaves `run` null if the form is not supported.
  void special_form(const Statement& s, Node& node, const Parts& parts) {
    const std::string_view base = parts[0];
    Instruction& i = node.instruction;
    if (s.opcode == "bra" || s.opcode == "bra.uni") {
      branch(s, node);
    } else if (s.opcode == "ret" || s.opcode == "exit") {
      expect_operands(s, 0);
      i.run = exit_handler();
      node.falls_through = false;
    } else if (s.opcode == "bar.sync" || s.opcode == "barrier.sync" || s.opcode == "barrier.sync.aligned") {
      if (s.operands.size() == 1 && s.operands[0].text == "0") i.run = barrier_handler();
    } else if (s.opcode == "bar.warp.sync") {
      expect_operands(s, 1);
      node.refs.push_back(operands_.source(s, s.operands[0], Width::word));
      i.run = warp_barrier_handler();
    } else if (base == "membar" || base == "fence") {
      const bool between_blocks = parts.back() == "gl" || parts.back() == "gpu" || parts.back() == "sys";
      if (s.operands.empty() && (between_blocks || parts.back() == "cta")) i.run = fence_handler(between_blocks);
    } else if (s.opcode == "cp.async.commit_group") {
      expect_operands(s, 0);
      i.run = commit_handler();
    } else if (s.opcode == "cp.async.wait_all") {
      expect_operands(s, 0);
      i.run = wait_all_handler();
    } else if (s.opcode == "cp.async.wait_group") {
      expect_operands(s, 1);
      i.run = wait_handler();
      i.immediate = static_cast<std::int64_t>(operands_.number(s, s.operands[0].text) & 0x7fffffff);
    } else if (s.opcode == "cp.async.cg.shared.global" || s.opcode == "cp.async.ca.shared.global") {
      asynchronous_copy(s, node);
    } else if (base == "ld" || base == "st") {
      access(s, node, parts);
    } else if (base == "atom" || base == "red") {
      atomic(s, node, parts);
    } else if (base == "mov") {
      vector_move(s, node, parts);
    } else if (s.opcode.starts_with("ldmatrix.sync.aligned.m8n8.")) {
      ldmatrix(s, node, parts);
    } else if (s.opcode == "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32" ||
               s.opcode == "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32") {
      mma(s, node, parts.at(7) == "bf16");
    } else if (base == "shfl") {
      shuffle(s, node, parts);
    } else if (base == "vote") {
      vote(s, node, parts);
    }
  }

  void branch(const Statement& s, Node& node) const {
    expect_operands(s, 1);
    node.instruction.run = branch_handler(!s.guard.empty(), s.guard_negated);
    if (!s.guard.empty()) node.refs.push_back(operands_.guard(s));
    const auto label = program_->kernel.labels.find(s.operands[0].text);
    if (label == program_->kernel.labels.end()) operands_.fail(s, "unknown label");
    node.target = static_cast<std::ptrdiff_t>(label->second);
    node.falls_through = !s.guard.empty();
  }

  /// cp.async [shared], [global], bytes {, bytes that are read; the rest is zero}
  void asynchronous_copy(const Statement& s, Node& node) const {
    const bool has_size = s.operands.size() == 4;
    if (!has_size) expect_operands(s, 3);
    Instruction& i = node.instruction;
    const auto to = operands_.address(s, s.operands[0], node);
    if (!to || i.immediate != 0)
      operands_.fail(s, "expected a register without offset as the address in shared memory");
    if (operands_.address(s, s.operands[1], node) != Width::double_word) operands_.fail(s, "expected a 64-bit address");
    i.option = static_cast<std::uint32_t>(operands_.number(s, s.operands[2].text));
    const bool bypasses_l1 = s.opcode.starts_with("cp.async.cg");
    if (i.option != 16 && (bypasses_l1 || (i.option != 4 && i.option != 8))) {
      operands_.fail(s, "copies have 4, 8 or 16 bytes, with .cg 16 bytes");
    }
    if (has_size) node.refs.push_back(operands_.source(s, s.operands[3], Width::word));
    i.run = copy_handler(*to, has_size);
  }

  /// Reads the state space at parts[k], if there is one.
  static Space space_of(const Parts& parts, std::size_t& k) {
    static constexpr std::pair<std::string_view, Space> kSpaces[] = {{"global", Space::global},
                                                                     {"shared", Space::shared},
                                                                     {"local", Space::local},
                                                                     {"param", Space::parameter},
                                                                     {"const", Space::global}};
    for (const auto& [name, space] : kSpaces) {
      if (k < parts.size() && parts[k] == name) {
        ++k;
        return space;
      }
    }
    return Space::generic;
  }

  void access(const Statement& s, Node& node, const Parts& parts) const {
    expect_operands(s, 2);
    std::size_t k = 1;
    const auto accept = [&](std::string_view modifier) {
      const bool found = k < parts.size() && parts[k] == modifier;
      k += found ? 1 : 0;
      return found;
    };
    accept("volatile");
    const Space space = space_of(parts, k);
    if (space == Space::global) accept("nc");
    const unsigned count = accept("v2") ? 2 : accept("v4") ? 4 : 1;
    if (k + 1 != parts.size()) return;  // an unknown modifier
    const std::string_view type = parts[k];
    const bool load = parts[0] == "ld";
    const Operand& data = s.operands[load ? 0 : 1];
    const std::vector<Operand> elements = count > 1 ? data.parts : std::vector<Operand>{data};
    if (elements.size() != count) operands_.fail(s, concat("expected a vector of ", count, " registers"));
    // Constants are as wide as the type.
    const Width type_width = type.ends_with("64")   ? Width::double_word
                             : type.ends_with("32") ? Width::word
                                                    : Width::half;
    const Width width = operands_.register_width(elements[0]).value_or(type_width);
    for (const Operand& element : elements) {
      if (load) {
        add_destination(s, element, width, node);
      } else {
        node.refs.push_back(operands_.source(s, element, width));
      }
    }
    node.list = count > 1;
    const auto address = operands_.address(s, s.operands[load ? 1 : 0], node);
    const Width address_width = address.value_or(Width::double_word);
    node.instruction.run = load ? load_handler(space, type, count, width, !address, address_width)
                                : store_handler(space, type, count, width, !address, address_width);
  }

  /// atom.space.operation.type d, [a], b {, c} and red.space.operation.type [a], b
  void atomic(const Statement& s, Node& node, const Parts& parts) const {
    const bool has_destination = parts[0] == "atom";
    std::size_t k = 1;
    // Memory order and scope: blocks run under sequential consistency.
    const auto accept_order = [&] {
      for (const std::string_view word : {"relaxed", "acquire", "release", "acq_rel", "cta", "gpu", "sys"}) {
        if (k < parts.size() && parts[k] == word) {
          ++k;
          return true;
        }
      }
      return false;
    };
    while (accept_order()) {
    }
    const Space space = space_of(parts, k);
    while (accept_order()) {
    }
    if (k + 2 != parts.size()) return;
    const std::string_view operation = parts[k];
    const std::string_view type = parts[k + 1];
    const Width width = type.ends_with("64") ? Width::double_word : Width::word;
    expect_operands(s, (has_destination ? 2u : 1u) + (operation == "cas" ? 2u : 1u));
    if (has_destination) add_destination(s, s.operands[0], width, node);
    const std::size_t at = has_destination ? 1 : 0;
    const auto address = operands_.address(s, s.operands[at], node);
    if (!address) operands_.fail(s, "expected a register as the address");
    for (std::size_t operand = at + 1; operand < s.operands.size(); ++operand) {
      node.refs.push_back(operands_.source(s, s.operands[operand], width));
    }
    node.instruction.run = atomic_handler(space, operation, type, has_destination, *address);
  }

  void vector_move(const Statement& s, Node& node, const Parts& parts) const {
    if (parts.size() != 2 || s.operands.size() != 2 || !(parts[1] == "b32" || parts[1] == "b64")) return;
    const Width width = parts[1] == "b32" ? Width::word : Width::double_word;
    const bool packs = s.operands[1].kind == Operand::Kind::vector;
    const std::vector<Operand>& elements = s.operands[packs ? 1 : 0].parts;
    const auto count = static_cast<unsigned>(elements.size());
    if (count != 2 && count != 4) return;
    const Width part_width = width == Width::word || count == 4 ? Width::half : Width::word;
    node.list = true;
    if (packs) {
      add_destination(s, s.operands[0], width, node);
      for (const Operand& element : elements) node.refs.push_back(operands_.source(s, element, part_width));
      node.instruction.run = pack_handler(count, width);
    } else {
      for (const Operand& element : elements) add_destination(s, element, part_width, node);
      node.refs.push_back(operands_.source(s, s.operands[1], width));
      node.instruction.run = unpack_handler(count, width);
    }
  }

  void ldmatrix(const Statement& s, Node& node, const Parts& parts) const {
    const bool transposed = parts.size() == 8 && parts[5] == "trans";
    const unsigned count = parts[4] == "x4" ? 4 : parts[4] == "x2" ? 2 : parts[4] == "x1" ? 1 : 0;
    if (parts.size() != (transposed ? 8u : 7u) || parts[parts.size() - 2] != "shared" || parts.back() != "b16") return;
    expect_operands(s, 2);
    if (s.operands[0].parts.size() != count) operands_.fail(s, "expected one register per matrix");
    for (const Operand& part : s.operands[0].parts) add_destination(s, part, Width::word, node);
    node.list = true;
    if (operands_.address(s, s.operands[1], node) != Width::word) operands_.fail(s, "expected a 32-bit address");
    node.instruction.run = ldmatrix_handler(count, transposed);
  }

  void mma(const Statement& s, Node& node, bool bf16) const {
    expect_operands(s, 4);
    constexpr std::size_t kRegisters[] = {4, 4, 2, 4};  // of D, A, B, C
    for (std::size_t k = 0; k < 4; ++k) {
      if (s.operands[k].parts.size() != kRegisters[k])
        operands_.fail(s, "a fragment has the wrong number of registers");
      for (const Operand& part : s.operands[k].parts) {
        if (k == 0) {
          add_destination(s, part, Width::word, node);
        } else {
          node.refs.push_back(operands_.source(s, part, Width::word));
        }
      }
    }
    node.list = true;
    node.instruction.run = mma_handler(bf16);
  }

  /// shfl.sync.kind.b32 d{|p}, a, b, c, mask
  void shuffle(const Statement& s, Node& node, const Parts& parts) const {
    if (parts.size() != 4 || parts[1] != "sync" || parts[3] != "b32") return;
    expect_operands(s, 5);
    const bool pair = s.operands[0].kind == Operand::Kind::pair;
    add_destination(s, pair ? s.operands[0].parts[0] : s.operands[0], Width::word, node);
    for (std::size_t k = 1; k < 5; ++k) node.refs.push_back(operands_.source(s, s.operands[k], Width::word));
    if (pair) add_destination(s, s.operands[0].parts[1], Width::predicate, node);
    node.list = true;
    node.instruction.run = shuffle_handler(parts[2], pair);
  }

  /// vote.sync.{all, any, uni}.pred p, q, mask and vote.sync.ballot.b32 d, q, mask
  void vote(const Statement& s, Node& node, const Parts& parts) const {
    if (parts.size() != 4 || parts[1] != "sync") return;
    expect_operands(s, 3);
    add_destination(s, s.operands[0], parts[2] == "ballot" ? Width::word : Width::predicate, node);
    node.refs.push_back(operands_.source(s, s.operands[1], Width::predicate));
    node.refs.push_back(operands_.source(s, s.operands[2], Width::word));
    node.instruction.run = vote_handler(parts[2]);
  }

  const Module& module_;
  std::unique_ptr<Program> program_;
  Registers registers_;
  Operands operands_;
  std::vector<Node> nodes_;
  std::vector<std::size_t> first_node_;  ///< of each statement
};

}  // namespace

std::unique_ptr<Program> decode(const Module& module, const Module::Entry& entry) {
  return Decoder(module, entry).run();
}

std::vector<std::string> unsupported_instructions(const Module& module, const Module::Entry& entry) {
  return Decoder(module, entry).unsupported();
}

}  // namespace minception::simt::ptx
