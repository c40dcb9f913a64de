/// Branches, exits, barriers and asynchronous copies.

#include "simt/ptx/warp.h"

#include <algorithm>
#include <cstring>

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>
#endif

namespace minception::simt::ptx {
namespace {

/// One bit per lane of a row of predicates.
std::uint32_t bits_of(const std::uint32_t* predicate) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  const std::uint32_t low = _mm512_movepi32_mask(_mm512_loadu_si512(predicate));
  const std::uint32_t high = _mm512_movepi32_mask(_mm512_loadu_si512(predicate + 16));
  return low | high << 16;
#else
  std::uint32_t bits = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) bits |= (predicate[lane] & 1u) << lane;
  return bits;
#endif
}

const Instruction* jump(Warp& warp, const Instruction* i) { return warp.code + i->immediate; }

template <bool negated>
const Instruction* branch(Warp& warp, const Instruction* i) {
  std::uint32_t taken = bits_of(row<std::uint32_t>(warp, i->row[0]));
  if (negated) taken = ~taken;
  taken &= warp.mask;
  if (taken == 0) return i + 1;
  const Instruction* const target = warp.code + i->immediate;
  if (taken == warp.mask) return target;
  for_active(warp, [&](unsigned lane) { warp.next[lane] = (taken >> lane & 1u) != 0 ? target : i + 1; });
  return warp.end;
}

const Instruction* leave(Warp& warp, const Instruction* i) {
  for (const Copy& copy : warp.copies) {
    if ((warp.mask >> copy.lane & 1u) == 0) continue;
    const bool committed = copy.pending.group != warp.thread(copy.lane).groups;
    const auto* issued = static_cast<const Instruction*>(copy.pending.code);
    stop_at(warp, i, copy.lane,
            concat("the cp.async at ", position_of(*warp.block->program, *issued),
                   committed ? " was never waited for" : " was never committed"));
  }
  warp.live &= ~warp.mask;
  warp.running &= ~warp.mask;
  return warp.end;
}

const Instruction* barrier(Warp& warp, const Instruction* i) {
  for_active(warp, [&](unsigned lane) { warp.next[lane] = i; });
  warp.running &= ~warp.mask;
  warp.at_barrier |= warp.mask;
  return warp.end;
}

// ---- asynchronous copies --------------------------------------------------------------------------------------------

void write_target(const Copy& copy) {
  auto* const to = static_cast<std::byte*>(copy.pending.to);
  if (copy.valid_bytes > 0) std::memcpy(to, copy.pending.from, copy.valid_bytes);
  std::memset(to + copy.valid_bytes, 0, copy.pending.bytes - copy.valid_bytes);
}

void set_states(BlockState& block, const Copy& copy, ByteState state) {
  if (observer != nullptr) return;
  const auto offset = static_cast<const std::byte*>(copy.pending.to) - block.shared;
  std::memset(block.states.data() + offset, state, copy.pending.bytes);
}

void complete(Warp& warp, const Copy& copy) {
  write_target(copy);
  set_states(*warp.block, copy, written);
  if (observer != nullptr) observer->copy_landed(warp.thread(copy.lane), copy.pending);
}

/// cp.async [shared], [global], bytes (option) {, bytes that are read}
template <class Address, bool has_size>
const Instruction* copy(Warp& warp, const Instruction* i) {
  BlockState& block = *warp.block;
  const unsigned bytes = i->option;
  for_active(warp, [&](unsigned lane) {
    const std::uint64_t to = row<Address>(warp, i->row[0])[lane];
    const std::uint64_t from = row<std::uint64_t>(warp, i->row[1])[lane] + static_cast<std::uint64_t>(i->immediate);
    Copy result;
    result.valid_bytes = has_size ? row<std::uint32_t>(warp, i->row[2])[lane] : bytes;
    result.lane = lane;
    if (result.valid_bytes > bytes) stop_at(warp, i, lane, "cp.async reads more bytes than it writes");
    if (to % bytes != 0) stop_at(warp, i, lane, "misaligned: target of cp.async");
    if (to >= block.shared_bytes || bytes > block.shared_bytes - to)
      stop_at(warp, i, lane, "out of bounds in shared memory: target of cp.async");
    if (observer == nullptr) {
      for (unsigned b = 0; b < bytes; ++b) {
        const std::uint8_t state = block.states[to + b];
        if (state == gap) stop_at(warp, i, lane, "out of bounds in shared memory: target of cp.async");
        if (state == in_flight) {
          stop_at(warp, i, lane,
                  concat("missing wait: two cp.async write the same bytes", name_of_shared(*block.program, to)));
        }
      }
    }
    PendingCopy& pending = result.pending;
    pending.to = block.shared + to;
    pending.bytes = bytes;
    pending.valid = result.valid_bytes > 0;
    pending.group = warp.thread(lane).groups;
    pending.code = i;
    if (pending.valid) {
      if (from % bytes != 0) stop_at(warp, i, lane, "misaligned: source of cp.async");
      pending.from = reinterpret_cast<const void*>(from);
      // The observer checks the source in copy_issued.
      if (observer == nullptr) {  // of a part, the first and the last byte: gaps are wider
        const bool whole = result.valid_bytes == bytes;
        locate<Space::global, Access::read>(warp, i, lane, from, whole ? bytes : 1);
        if (!whole) locate<Space::global, Access::read>(warp, i, lane, from + result.valid_bytes - 1, 1);
      }
    }
    if (observer != nullptr) observer->copy_issued(warp.thread(lane), pending);
    if (block.eager_copies) write_target(result);
    set_states(block, result, in_flight);  // not to be read before the wait, even if it has landed
    warp.copies.push_back(result);
  });
  return i + 1;
}

const Instruction* commit(Warp& warp, const Instruction* i) {
  for_active(warp, [&](unsigned lane) { ++warp.thread(lane).groups; });
  return i + 1;
}

/// Completes the copies that `completes` accepts, of active lanes.
template <class F>
void complete_copies(Warp& warp, F&& completes) {
  const auto landed = [&](const Copy& c) { return (warp.mask >> c.lane & 1u) != 0 && completes(c); };
  for (const Copy& c : warp.copies) {
    if (landed(c)) complete(warp, c);
  }
  std::erase_if(warp.copies, landed);
}

const Instruction* wait(Warp& warp, const Instruction* i) {
  const auto pending = static_cast<unsigned>(i->immediate);
  complete_copies(warp, [&](const Copy& c) { return c.pending.group + pending < warp.thread(c.lane).groups; });
  return i + 1;
}

/// Commits and waits for everything.
const Instruction* wait_all(Warp& warp, const Instruction* i) {
  complete_copies(warp, [](const Copy&) { return true; });
  return i + 1;
}

}  // namespace

Handler branch_handler(bool conditional, bool negated) {
  if (!conditional) return &jump;
  return negated ? &branch<true> : &branch<false>;
}
Handler exit_handler() { return &leave; }
Handler barrier_handler() { return &barrier; }
Handler commit_handler() { return &commit; }
Handler wait_handler() { return &wait; }
Handler wait_all_handler() { return &wait_all; }
Handler copy_handler(Width address_width, bool has_size) {
  if (address_width == Width::word) return has_size ? &copy<std::uint32_t, true> : &copy<std::uint32_t, false>;
  if (address_width == Width::double_word) return has_size ? &copy<std::uint64_t, true> : &copy<std::uint64_t, false>;
  return nullptr;
}

}  // namespace minception::simt::ptx
