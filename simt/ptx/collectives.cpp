/// Warp-wide instructions. Fragment layouts: PTX ISA, "Matrix Fragments for mma.m16n8k8", "... m16n8k16 with floating
/// point type", and "ldmatrix".

#include "simt/ptx/warp.h"
#include "simt/warp.h"

#include <cstring>

namespace minception::simt::ptx {
namespace {

Lanes lanes_of(const Warp& warp) {
  Lanes lanes;
  lanes.mask = warp.mask;
  for_active(warp, [&](unsigned lane) { lanes.thread[lane] = &warp.thread(lane); });
  return lanes;
}

template <class F>
void run_collective(Warp& warp, F&& act) {
  ++warp.block->counts.collectives;
  if (observer != nullptr) observer->collective_begins(lanes_of(warp));
  act();
}

/// Lanes wait until all lanes of their mask (a row of masks; null: all lanes) have arrived with the same mask. Then
/// act() runs once with `warp.mask` set to them. Groups of lanes may have different masks.
template <class F>
const Instruction* together(Warp& warp, const Instruction* i, const std::uint32_t* masks, F&& act) {
  const auto members_of = [&](unsigned lane) { return (masks == nullptr ? ~0u : masks[lane]) & warp.present; };
  const std::uint32_t first = members_of(first_lane(warp.mask));
  bool same = first == warp.mask;
  for_active(warp, [&](unsigned lane) {
    if ((members_of(lane) >> lane & 1u) == 0) stop_at(warp, i, lane, "the mask leaves out the calling lane");
    same = same && members_of(lane) == first;
    warp.next[lane] = i;
  });
  if (same) {
    run_collective(warp, act);
    return i + 1;
  }
  warp.running &= ~warp.mask;
  warp.waiting |= warp.mask;
  for (std::uint32_t rest = warp.mask; rest != 0;) {
    const unsigned lane = first_lane(rest);
    const std::uint32_t members = members_of(lane);
    bool complete = (members & ~warp.waiting) == 0;
    for (std::uint32_t others = members; others != 0 && complete; others &= others - 1) {
      const unsigned other = first_lane(others);
      complete = warp.next[other] == i && members_of(other) == members;
    }
    rest &= complete ? ~members : rest - 1;
    if (!complete) continue;
    warp.mask = members;
    warp.full = members == warp.live;
    run_collective(warp, act);
    for_active(warp, [&](unsigned member) { warp.next[member] = i + 1; });
    warp.waiting &= ~members;
    warp.running |= members;
  }
  return warp.end;
}

void require_full_warp(Warp& warp, const Instruction* i) {
  if (warp.present != ~0u) stop_at(warp, i, first_lane(warp.mask), "needs all 32 lanes of the warp");
}

const Instruction* warp_barrier(Warp& warp, const Instruction* i) {
  return together(warp, i, row<std::uint32_t>(warp, i->row[0]), [&] {
    if (observer != nullptr) observer->warp_barrier_passed(lanes_of(warp));
  });
}

// ---- matrices -------------------------------------------------------------------------------------------------------

/// rows: `count` destinations, 32-bit address
template <unsigned count, bool transposed>
const Instruction* ldmatrix(Warp& warp, const Instruction* i) {
  require_full_warp(warp, i);
  return together(warp, i, nullptr, [&] {
    const std::uint32_t* const addresses = row<std::uint32_t>(warp, i->rows[count]);
    std::uint16_t element[count][8][8];
    for (unsigned matrix = 0; matrix < count; ++matrix) {
      for (unsigned r = 0; r < 8; ++r) {
        const unsigned lane = 8 * matrix + r;
        const std::uint32_t address = addresses[lane] + static_cast<std::uint32_t>(i->immediate);
        std::memcpy(element[matrix][r], locate<Space::shared, Access::read>(warp, i, lane, address, 16), 16);
      }
    }
    for (unsigned matrix = 0; matrix < count; ++matrix) {
      std::uint32_t* const d = row<std::uint32_t>(warp, i->rows[matrix]);
      for (unsigned lane = 0; lane < kLanes; ++lane) {
        const unsigned r = lane / 4;
        const unsigned c = lane % 4 * 2;
        const std::uint32_t first = transposed ? element[matrix][c][r] : element[matrix][r][c];
        const std::uint32_t second = transposed ? element[matrix][c + 1][r] : element[matrix][r][c + 1];
        d[lane] = first | second << 16;
      }
    }
  });
}

/// Half `index` of a pair of bf16.
float bf16_value(std::uint32_t pair, unsigned index) {
  return std::bit_cast<float>(index == 0 ? pair << 16 : pair & 0xffff0000u);
}
/// The hardware ignores the lower 13 bits.
float tf32_value(std::uint32_t bits) { return std::bit_cast<float>(bits & 0xffffe000u); }

/// rows: d[4], a[4], b[2], c[4]
template <bool bf16>
const Instruction* mma(Warp& warp, const Instruction* i) {
  require_full_warp(warp, i);
  return together(warp, i, nullptr, [&] {
    constexpr unsigned kK = bf16 ? 16 : 8;
    ++warp.block->counts.mma;
    warp.block->counts.mma_flops += 2u * 16 * 8 * kK;
    std::uint32_t words[14][kLanes];
    for (unsigned k = 4; k < 14; ++k) std::memcpy(words[k], row<std::uint32_t>(warp, i->rows[k]), sizeof(words[k]));
    alignas(32) float a[16][kK], b[kK][8], d[16][8];
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      const unsigned group = lane / 4;
      const unsigned in_group = lane % 4;
      if constexpr (bf16) {
        for (unsigned e = 0; e < 8; ++e) {
          const unsigned r = e / 2 % 2 == 0 ? group : group + 8;
          const unsigned c = in_group * 2 + e % 2 + (e < 4 ? 0 : 8);
          a[r][c] = bf16_value(words[4 + e / 2][lane], e % 2);
        }
        for (unsigned e = 0; e < 4; ++e) {
          b[in_group * 2 + e % 2 + (e < 2 ? 0 : 8)][group] = bf16_value(words[8 + e / 2][lane], e % 2);
        }
      } else {
        for (unsigned e = 0; e < 4; ++e) {
          a[e % 2 == 0 ? group : group + 8][e < 2 ? in_group : in_group + 4] = tf32_value(words[4 + e][lane]);
        }
        for (unsigned e = 0; e < 2; ++e) b[e == 0 ? in_group : in_group + 4][group] = tf32_value(words[8 + e][lane]);
      }
      for (unsigned e = 0; e < 4; ++e) {
        d[e < 2 ? group : group + 8][in_group * 2 + e % 2] = std::bit_cast<float>(words[10 + e][lane]);
      }
    }
    // Products are exact in f32; sums in the order of k, eight columns at a time.
    using Row = float __attribute__((vector_size(32)));
    for (unsigned r = 0; r < 16; ++r) {
      Row sums;
      std::memcpy(&sums, d[r], sizeof(sums));
      for (unsigned k = 0; k < kK; ++k) {
        Row columns;
        std::memcpy(&columns, b[k], sizeof(columns));
        sums += a[r][k] * columns;
      }
      std::memcpy(d[r], &sums, sizeof(sums));
    }
    for (unsigned e = 0; e < 4; ++e) {
      float* const to = row<float>(warp, i->rows[e]);
      for (unsigned lane = 0; lane < kLanes; ++lane) {
        to[lane] = d[e < 2 ? lane / 4 : lane / 4 + 8][lane % 4 * 2 + e % 2];
      }
    }
  });
}

// ---- shuffles and votes ---------------------------------------------------------------------------------------------

struct Source {
  unsigned lane;
  bool valid;
};

/// PTX ISA, shfl.sync: `c` packs the clamp value (bits 0-4) and the segment mask (bits 8-12).
Source source_lane(Shuffle kind, unsigned lane, std::uint32_t b, std::uint32_t c) {
  const unsigned by = b & 31u;
  const unsigned clamp = c & 31u;
  const unsigned segment = c >> 8 & 31u;
  const unsigned most = (lane & segment) | (clamp & ~segment);
  switch (kind) {
    case Shuffle::up:
      return {lane - by, static_cast<int>(lane - by) >= static_cast<int>(most)};
    case Shuffle::down:
      return {lane + by, lane + by <= most};
    case Shuffle::exclusive_or:
      return {lane ^ by, (lane ^ by) <= most};
    case Shuffle::index:
      break;
  }
  const unsigned from = (lane & segment) | (by & ~segment);
  return {from, from <= most};
}

/// rows: d, a, b, c, mask {, p}
template <Shuffle kind, bool has_predicate>
const Instruction* shuffle(Warp& warp, const Instruction* i) {
  return together(warp, i, row<std::uint32_t>(warp, i->rows[4]), [&] {
    const std::uint32_t* const a = row<std::uint32_t>(warp, i->rows[1]);
    const std::uint32_t* const b = row<std::uint32_t>(warp, i->rows[2]);
    const std::uint32_t* const c = row<std::uint32_t>(warp, i->rows[3]);
    std::uint32_t result[kLanes], valid[kLanes];
    for_active(warp, [&](unsigned lane) {
      const Source source = source_lane(kind, lane, b[lane], c[lane]);
      const unsigned from = source.valid ? source.lane : lane;
      if ((warp.mask >> from & 1u) == 0) {
        stop_at(warp, i, lane, concat("reads from lane ", from, ", which does not participate"));
      }
      result[lane] = a[from];
      valid[lane] = source.valid ? ~0u : 0u;
    });
    for_active(warp, [&](unsigned lane) {
      row<std::uint32_t>(warp, i->rows[0])[lane] = result[lane];
      if (has_predicate) row<std::uint32_t>(warp, i->rows[5])[lane] = valid[lane];
    });
  });
}

enum class Vote : std::uint8_t { all, any, uniform, ballot };

/// row: d, predicate, mask
template <Vote kind>
const Instruction* vote(Warp& warp, const Instruction* i) {
  return together(warp, i, row<std::uint32_t>(warp, i->row[2]), [&] {
    const std::uint32_t* const predicate = row<std::uint32_t>(warp, i->row[1]);
    std::uint32_t ballot = 0;
    for_active(warp, [&](unsigned lane) { ballot |= (predicate[lane] & 1u) << lane; });
    const bool all = ballot == warp.mask;
    const bool answer = kind == Vote::all ? all : kind == Vote::any ? ballot != 0 : all || ballot == 0;
    const std::uint32_t result = kind == Vote::ballot ? ballot : answer ? ~0u : 0u;
    for_active(warp, [&](unsigned lane) { row<std::uint32_t>(warp, i->row[0])[lane] = result; });
  });
}

}  // namespace

Handler warp_barrier_handler() { return &warp_barrier; }

Handler ldmatrix_handler(unsigned count, bool transposed) {
  if (count == 1) return transposed ? &ldmatrix<1, true> : &ldmatrix<1, false>;
  if (count == 2) return transposed ? &ldmatrix<2, true> : &ldmatrix<2, false>;
  if (count == 4) return transposed ? &ldmatrix<4, true> : &ldmatrix<4, false>;
  return nullptr;
}

Handler mma_handler(bool bf16) { return bf16 ? &mma<true> : &mma<false>; }

Handler shuffle_handler(std::string_view kind, bool has_predicate) {
  const auto pick = [&]<Shuffle k>() { return has_predicate ? &shuffle<k, true> : &shuffle<k, false>; };
  if (kind == "up") return pick.template operator()<Shuffle::up>();
  if (kind == "down") return pick.template operator()<Shuffle::down>();
  if (kind == "bfly") return pick.template operator()<Shuffle::exclusive_or>();
  if (kind == "idx") return pick.template operator()<Shuffle::index>();
  return nullptr;
}

Handler vote_handler(std::string_view kind) {
  if (kind == "all") return &vote<Vote::all>;
  if (kind == "any") return &vote<Vote::any>;
  if (kind == "uni") return &vote<Vote::uniform>;
  if (kind == "ballot") return &vote<Vote::ballot>;
  return nullptr;
}

}  // namespace minception::simt::ptx
