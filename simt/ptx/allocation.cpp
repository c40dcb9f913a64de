#include "simt/ptx/allocation.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <queue>
#include <utility>

namespace minception::simt::ptx {
namespace {

/// A set of registers.
class Set {
 public:
  explicit Set(std::size_t size) : words_((size + 63) / 64) {}
  bool has(std::size_t r) const { return (words_[r / 64] >> r % 64 & 1u) != 0; }
  void add(std::size_t r) { words_[r / 64] |= std::uint64_t{1} << r % 64; }
  std::vector<std::uint64_t>& words() { return words_; }

 private:
  std::vector<std::uint64_t> words_;
};

struct BasicBlock {
  std::size_t begin, end;
  std::vector<std::size_t> successors;
  Set reads, writes;  ///< reads: before any write in the block
  Set live_in, live_out;
};

/// Calls f(register, whether it is written) for the operands of a node.
template <class F>
void for_operands(const Node& node, F&& f) {
  for (std::size_t k = 0; k < node.refs.size(); ++k) {
    if (node.refs[k].kind == Ref::Kind::reg)
      f(static_cast<std::size_t>(node.refs[k].value), (node.written >> k & 1u) != 0);
  }
}

std::vector<BasicBlock> basic_blocks(const std::vector<Node>& nodes, const std::vector<std::size_t>& first_node,
                                     std::size_t registers) {
  const auto target = [&](const Node& node) { return first_node[static_cast<std::size_t>(node.target)]; };
  std::vector<bool> leader(nodes.size() + 1, false);
  leader[0] = true;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    if (nodes[n].target >= 0) leader[target(nodes[n])] = true;
    if (nodes[n].target >= 0 || !nodes[n].falls_through) leader[n + 1] = true;
  }
  std::vector<BasicBlock> blocks;
  std::vector<std::size_t> block_of(nodes.size() + 1);
  const Set none(registers);
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    if (leader[n]) blocks.push_back({n, n, {}, none, none, none, none});
    block_of[n] = blocks.size() - 1;
    blocks.back().end = n + 1;
  }
  for (BasicBlock& block : blocks) {
    const Node& last = nodes[block.end - 1];
    if (last.target >= 0) block.successors.push_back(block_of[target(last)]);
    if (last.falls_through && block.end < nodes.size()) block.successors.push_back(block_of[block.end]);
    for (std::size_t n = block.begin; n < block.end; ++n) {
      for_operands(nodes[n], [&](std::size_t r, bool is_written) {
        if (!is_written && !block.writes.has(r)) block.reads.add(r);
      });
      for_operands(nodes[n], [&](std::size_t r, bool is_written) {
        if (is_written) block.writes.add(r);
      });
    }
  }
  return blocks;
}

/// live_in = reads | (live_out & ~writes), live_out = union of the successors' live_in, to the fixed point.
void propagate(std::vector<BasicBlock>& blocks) {
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t k = blocks.size(); k-- > 0;) {
      BasicBlock& block = blocks[k];
      for (std::size_t w = 0; w < block.reads.words().size(); ++w) {
        std::uint64_t out = 0;
        for (const std::size_t next : block.successors) out |= blocks[next].live_in.words()[w];
        const std::uint64_t in = block.reads.words()[w] | (out & ~block.writes.words()[w]);
        changed = changed || in != block.live_in.words()[w];
        block.live_in.words()[w] = in;
        block.live_out.words()[w] = out;
      }
    }
  }
}

unsigned bytes_of(Width width) { return width == Width::double_word ? 8 : width == Width::half ? 2 : 4; }

class Rows {
 public:
  explicit Rows(Program& program) : program_(program) {
    program_.register_bytes = 64;  // offset 0 is no row
  }

  std::uint32_t add(unsigned bytes_per_lane) {
    const auto offset = static_cast<std::uint32_t>(program_.register_bytes);
    program_.register_bytes += std::size_t{bytes_per_lane} * kLanes;
    return offset;
  }

  std::uint32_t of(const Ref& ref) {
    switch (ref.kind) {
      case Ref::Kind::reg:
        return registers[ref.value];
      case Ref::Kind::special: {
        std::uint32_t& offset = program_.special[ref.value];
        if (offset == 0) offset = add(4);
        return offset;
      }
      case Ref::Kind::half:
      case Ref::Kind::word:
      case Ref::Kind::double_word:
        return of_constant(ref);
      case Ref::Kind::none:
        break;
    }
    return 0;
  }

  std::vector<std::uint32_t> registers;  ///< row of each register

 private:
  std::uint32_t of_constant(const Ref& ref) {
    const auto [found, is_new] = constants_.try_emplace({ref.kind, ref.value}, 0);
    if (!is_new) return found->second;
    if (ref.kind == Ref::Kind::double_word) {
      found->second = add(8);
      program_.double_words.emplace_back(found->second, ref.value);
    } else {  // a row of halves occupies half of a row of words, each two of them
      found->second = add(4);
      const std::uint64_t value = ref.kind == Ref::Kind::half ? ref.value | ref.value << 16 : ref.value;
      program_.words.emplace_back(found->second, static_cast<std::uint32_t>(value));
    }
    return found->second;
  }

  Program& program_;
  std::map<std::pair<Ref::Kind, std::uint64_t>, std::uint32_t> constants_;
};

/// Linear scan: a row becomes free when the interval of its register ends.
void scan(Rows& rows, const Liveness& live, const Registers& registers) {
  std::vector<std::size_t> order;
  for (std::size_t r = 0; r < registers.count(); ++r) {
    if (live.begin[r] != Liveness::kNever) order.push_back(r);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return live.begin[a] < live.begin[b]; });

  using Busy = std::pair<std::size_t, std::uint32_t>;  // end of the interval, row
  struct Pool {
    std::vector<std::uint32_t> free;
    std::priority_queue<Busy, std::vector<Busy>, std::greater<>> busy;
  };
  std::map<unsigned, Pool> pools;
  rows.registers.assign(registers.count(), Program::kNoRow);
  for (const std::size_t r : order) {
    const unsigned bytes = bytes_of(registers.width(r));
    Pool& pool = pools[bytes];
    while (!pool.busy.empty() && pool.busy.top().first < live.begin[r]) {
      pool.free.push_back(pool.busy.top().second);
      pool.busy.pop();
    }
    std::uint32_t row = 0;
    if (pool.free.empty()) {
      row = rows.add(bytes);
    } else {
      row = pool.free.back();
      pool.free.pop_back();
    }
    rows.registers[r] = row;
    pool.busy.emplace(live.end[r], row);
  }
}

}  // namespace

Liveness find_liveness(const std::vector<Node>& nodes, const std::vector<std::size_t>& first_node,
                       std::size_t registers) {
  std::vector<BasicBlock> blocks = basic_blocks(nodes, first_node, registers);
  propagate(blocks);
  Liveness live;
  live.begin.assign(registers, Liveness::kNever);
  live.end.assign(registers, 0);
  const auto is_live = [&](std::size_t r, std::size_t n) {
    live.begin[r] = std::min(live.begin[r], n);
    live.end[r] = std::max(live.end[r], n);
  };
  for (const BasicBlock& block : blocks) {
    for (std::size_t r = 0; r < registers; ++r) {
      if (block.live_in.has(r)) is_live(r, block.begin);
      if (block.live_out.has(r)) is_live(r, block.end);
    }
    for (std::size_t n = block.begin; n < block.end; ++n) {
      for_operands(nodes[n], [&](std::size_t r, bool is_written) {
        is_live(r, n);
        if (is_written) is_live(r, n + 1);  // also if nothing reads it: the row is written
      });
    }
  }
  return live;
}

void assign_rows(Program& program, const std::vector<Node>& nodes, const std::vector<std::size_t>& first_node,
                 const Registers& registers) {
  const Liveness live = find_liveness(nodes, first_node, registers.count());
  Rows rows(program);
  scan(rows, live, registers);
  for (const Node& node : nodes) {
    Instruction instruction = node.instruction;
    if (node.target >= 0) {
      instruction.immediate = static_cast<std::int64_t>(first_node[static_cast<std::size_t>(node.target)]);
    }
    if (node.list) {
      auto list = std::make_unique<std::uint32_t[]>(node.refs.size());
      for (std::size_t k = 0; k < node.refs.size(); ++k) list[k] = rows.of(node.refs[k]);
      instruction.rows = list.get();
      program.row_lists.push_back(std::move(list));
    } else {
      for (std::size_t k = 0; k < node.refs.size(); ++k) instruction.row[k] = rows.of(node.refs[k]);
    }
    program.code.push_back(instruction);
  }
  program.register_bytes = (program.register_bytes + 63) / 64 * 64;
  program.register_rows = std::move(rows.registers);
}

}  // namespace minception::simt::ptx
