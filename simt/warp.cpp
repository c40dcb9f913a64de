/// Compiled without sanitizers, because these functions access the stacks of other lanes. They report their accesses to
/// shared memory to the checker.

#include "simt/warp.h"
#include "core/error.h"
#include "simt/observer.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace minception::simt {
namespace {

void note_read(Thread& thread, const void* data, unsigned bytes, const Position& where) {
  if (observer != nullptr) observer->reads(thread, data, bytes, where);
}

void land(Thread& thread, const PendingCopy& copy) {
  if (copy.valid) {
    std::memcpy(copy.to, copy.from, copy.bytes);
  } else {
    std::memset(copy.to, 0, copy.bytes);
  }
  if (observer != nullptr) observer->copy_landed(thread, copy);
}

}  // namespace

// ---- asynchronous copies --------------------------------------------------------------------------------------------

void copy_async(void* shared, const void* global, unsigned bytes, bool valid, const Position& where) {
  Thread& thread = *current;
  const auto misaligned = [&](const void* address) { return reinterpret_cast<std::uintptr_t>(address) % bytes != 0; };
  if (misaligned(shared) || (valid && misaligned(global))) {
    stop([&] {
      return concat("the cp.async at ", to_string(where), " copies ", bytes, " bytes ",
                    misaligned(shared) ? "to a shared" : "from a global", " address that is not a multiple of ", bytes);
    });
  }
  PendingCopy copy{shared, global, bytes, valid, thread.groups, where};
  if (observer != nullptr) observer->copy_issued(thread, copy);
  if (settings().copies == CopyLanding::eager) {
    if (valid) {
      std::memcpy(shared, global, bytes);
    } else {
      std::memset(shared, 0, bytes);
    }
  }
  thread.copies.push_back(copy);
}

void copy_async_commit() { ++current->groups; }

void copy_async_wait(unsigned pending) {
  Thread& thread = *current;
  std::size_t landed = 0;
  for (const PendingCopy& copy : thread.copies) {
    if (copy.group + pending >= thread.groups) break;
    land(thread, copy);
    ++landed;
  }
  thread.copies.erase(thread.copies.begin(), thread.copies.begin() + static_cast<std::ptrdiff_t>(landed));
}

// ---- ldmatrix -------------------------------------------------------------------------------------------------------

namespace {

struct LoadMatrices {
  std::uint32_t* fragments;
  const void* const* rows;
  unsigned count;
  bool transposed;
  Position where;
};

void require_whole_warp(const Lanes& lanes, const char* what) {
  if (lanes.mask != ~0u)
    stop([&] { return concat(what, " needs all 32 lanes of a warp; this warp has ", std::popcount(lanes.mask)); });
}

void run_load_matrices(Lanes& lanes) {
  require_whole_warp(lanes, "ldmatrix");
  const auto& first = lanes.argument<LoadMatrices>(0);
  for (unsigned k = 0; k < first.count; ++k) {
    for (unsigned j = 0; j < 4; ++j) {
      std::uint16_t matrix[8][8];
      for (unsigned i = 0; i < 8; ++i) {
        const unsigned lane = 8 * j + i;
        const auto& from = lanes.argument<LoadMatrices>(lane);
        const void* row = from.rows[k];
        if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) {
          stop([&] {
            return concat("the ldmatrix at ", to_string(from.where), ": the row of lane ", lane,
                          " does not begin at a multiple of 16 bytes");
          });
        }
        note_read(*lanes.thread[lane], row, 16, from.where);
        std::memcpy(matrix[i], row, 16);
      }
      for (unsigned lane = 0; lane < 32; ++lane) {
        const unsigned g = lane / 4;
        const unsigned t = lane % 4;
        const std::uint16_t low = first.transposed ? matrix[2 * t][g] : matrix[g][2 * t];
        const std::uint16_t high = first.transposed ? matrix[2 * t + 1][g] : matrix[g][2 * t + 1];
        lanes.argument<LoadMatrices>(lane).fragments[4 * k + j] =
            static_cast<std::uint32_t>(low) | static_cast<std::uint32_t>(high) << 16;
      }
    }
  }
}

}  // namespace

void load_matrices(std::uint32_t* fragments, const void* const* rows, unsigned count, bool transposed,
                   const Position& where) {
  LoadMatrices argument{fragments, rows, count, transposed, where};
  collective(&run_load_matrices, &argument, ~0u, where);
}

// ---- mma.sync -------------------------------------------------------------------------------------------------------

namespace {

constexpr unsigned kMostRows = 128;
constexpr unsigned kMostColumns = 128;

struct MmaTile {
  float* c;
  const std::uint32_t* a;
  const std::uint32_t* b;
  unsigned mt;
  unsigned nt;
};

float from_bf16(std::uint32_t word, unsigned half) {
  return std::bit_cast<float>(half == 0 ? word << 16 : word & 0xffff0000u);
}
/// The hardware uses only the upper 19 bits.
float from_tf32(std::uint32_t word) { return std::bit_cast<float>(word & 0xffffe000u); }

/// Eight adjacent results of a row, which four lanes hold, two each.
using Row = float __attribute__((vector_size(32)));

template <bool Bf16>
void run_mma_tile(Lanes& lanes) {
  require_whole_warp(lanes, "mma.sync");
  constexpr unsigned kDepth = Bf16 ? 16 : 8;
  thread_local float a[kMostRows][kDepth];
  alignas(32) thread_local float b[kDepth][kMostColumns];
  const unsigned mt = lanes.argument<MmaTile>(0).mt;
  const unsigned nt = lanes.argument<MmaTile>(0).nt;
  float* c[32];
  for (unsigned lane = 0; lane < 32; ++lane) {
    const auto& tile = lanes.argument<MmaTile>(lane);
    c[lane] = tile.c;
    const unsigned g = lane / 4;
    const unsigned t = lane % 4;
    for (unsigned i = 0; i < mt; ++i) {
      const std::uint32_t* words = tile.a + 4 * i;
      for (unsigned half = 0; half < 2; ++half) {  // registers 0, 2: row g; 1, 3: row g + 8
        const unsigned row = 16 * i + g + 8 * half;
        if constexpr (Bf16) {
          a[row][2 * t] = from_bf16(words[half], 0);
          a[row][2 * t + 1] = from_bf16(words[half], 1);
          a[row][2 * t + 8] = from_bf16(words[half + 2], 0);
          a[row][2 * t + 9] = from_bf16(words[half + 2], 1);
        } else {
          a[row][t] = from_tf32(words[half]);
          a[row][t + 4] = from_tf32(words[half + 2]);
        }
      }
    }
    for (unsigned j = 0; j < nt; ++j) {
      const std::uint32_t* words = tile.b + 2 * j;
      const unsigned column = 8 * j + g;
      if constexpr (Bf16) {
        b[2 * t][column] = from_bf16(words[0], 0);
        b[2 * t + 1][column] = from_bf16(words[0], 1);
        b[2 * t + 8][column] = from_bf16(words[1], 0);
        b[2 * t + 9][column] = from_bf16(words[1], 1);
      } else {
        b[t][column] = from_tf32(words[0]);
        b[t + 4][column] = from_tf32(words[1]);
      }
    }
  }
  // 8 x 8 results at a time, directly from the registers of the lanes; sums are in the order of k.
  for (unsigned i = 0; i < mt; ++i) {
    for (unsigned j = 0; j < nt; ++j) {
      for (unsigned half = 0; half < 2; ++half) {
        const unsigned place = 4 * (i * nt + j) + 2 * half;
        Row rows[8];
        for (unsigned g = 0; g < 8; ++g) {
          for (unsigned t = 0; t < 4; ++t) {
            std::memcpy(reinterpret_cast<float*>(&rows[g]) + 2 * t, c[4 * g + t] + place, 8);
          }
        }
        const float(*factors)[kDepth] = a + 16 * i + 8 * half;
        for (unsigned k = 0; k < kDepth; ++k) {
          Row columns;
          std::memcpy(&columns, &b[k][8 * j], sizeof(columns));
#pragma GCC unroll 8
          for (unsigned g = 0; g < 8; ++g) rows[g] += factors[g][k] * columns;
        }
        for (unsigned g = 0; g < 8; ++g) {
          for (unsigned t = 0; t < 4; ++t) {
            std::memcpy(c[4 * g + t] + place, reinterpret_cast<float*>(&rows[g]) + 2 * t, 8);
          }
        }
      }
    }
  }
  count_mma(mt * nt, 2 * 16 * 8 * kDepth);
}

}  // namespace

void mma_tile(float* c, const std::uint32_t* a, const std::uint32_t* b, unsigned mt, unsigned nt, bool bf16,
              const Position& where) {
  if (16 * mt > kMostRows || 8 * nt > kMostColumns) {
    stop([] { return "an mma tile of more than 128 x 128 results"; });
  }
  MmaTile argument{c, a, b, mt, nt};
  collective(bf16 ? &run_mma_tile<true> : &run_mma_tile<false>, &argument, ~0u, where);
}

// ---- __syncwarp -----------------------------------------------------------------------------------------------------

void warp_barrier(unsigned mask, const Position& where) {
  const auto pass = [](Lanes& lanes) {
    if (observer != nullptr) observer->warp_barrier_passed(lanes);
  };
  collective(pass, nullptr, mask, where);
}

// ---- reductions and shuffles ----------------------------------------------------------------------------------------

namespace {

struct Sum {
  float* values;
  unsigned count;
};

void run_warp_sum(Lanes& lanes) {
  require_whole_warp(lanes, "a sum over a warp");
  const unsigned count = lanes.argument<Sum>(0).count;
  for (unsigned k = 0; k < count; ++k) {
    float values[32];
    for (unsigned lane = 0; lane < 32; ++lane) values[lane] = lanes.argument<Sum>(lane).values[k];
    // Addition is commutative, so a butterfly gives all lanes the same bits and half of it is enough.
    for (unsigned distance = 16; distance > 0; distance /= 2) {
      for (unsigned lane = 0; lane < distance; ++lane) values[lane] += values[lane + distance];
    }
    for (unsigned lane = 0; lane < 32; ++lane) lanes.argument<Sum>(lane).values[k] = values[0];
  }
}

struct Maximum {
  float value;
};

void run_warp_max(Lanes& lanes) {
  require_whole_warp(lanes, "a maximum over a warp");
  float largest = lanes.argument<Maximum>(0).value;
  for (unsigned lane = 1; lane < 32; ++lane) {
    const float value = lanes.argument<Maximum>(lane).value;
    if (value > largest || std::isnan(value)) largest = value;
  }
  for (unsigned lane = 0; lane < 32; ++lane) lanes.argument<Maximum>(lane).value = largest;
}

struct ShuffleArgument {
  std::uint32_t value;
  Shuffle kind;
  unsigned operand;
  unsigned width;
  std::uint32_t result;
  Position where;
};

void run_shuffle(Lanes& lanes) {
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (lanes.thread[lane] == nullptr) continue;
    auto& argument = lanes.argument<ShuffleArgument>(lane);
    const unsigned first = lane & ~(argument.width - 1);
    unsigned from = lane;
    switch (argument.kind) {
      case Shuffle::index:
        from = first + (argument.operand & (argument.width - 1));
        break;
      case Shuffle::up:
        if (lane >= first + argument.operand) from = lane - argument.operand;
        break;
      case Shuffle::down:
        if (lane + argument.operand < first + argument.width) from = lane + argument.operand;
        break;
      case Shuffle::exclusive_or:
        from = lane ^ argument.operand;
        // A later group of lanes: keep the lane's own value.
        if (from >= first + argument.width) from = lane;
        break;
    }
    if (lanes.thread[from] == nullptr) {
      stop([&] {
        return concat("the shuffle at ", to_string(argument.where), ": lane ", lane, " reads from lane ", from,
                      ", which does not participate");
      });
    }
    argument.result = lanes.argument<ShuffleArgument>(from).value;
  }
}

struct Ballot {
  bool predicate;
  unsigned result;
};

void run_ballot(Lanes& lanes) {
  unsigned result = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (lanes.thread[lane] != nullptr && lanes.argument<Ballot>(lane).predicate) result |= 1u << lane;
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (lanes.thread[lane] != nullptr) lanes.argument<Ballot>(lane).result = result;
  }
}

}  // namespace

void warp_sum(float* values, unsigned count, const Position& where) {
  Sum argument{values, count};
  collective(&run_warp_sum, &argument, ~0u, where);
}

float warp_max(float value, const Position& where) {
  Maximum argument{value};
  collective(&run_warp_max, &argument, ~0u, where);
  return argument.value;
}

std::uint32_t shuffle(std::uint32_t value, Shuffle kind, unsigned operand, unsigned width, unsigned mask,
                      const Position& where) {
  if (width == 0 || width > 32 || !std::has_single_bit(width)) {
    stop([&] {
      return concat("the shuffle at ", to_string(where), " has the width ", width,
                    "; it must be a power of two up to 32");
    });
  }
  if (kind != Shuffle::index && operand >= 32) {
    stop([&] {
      return concat("the shuffle at ", to_string(where), " reaches across ", static_cast<int>(operand),
                    " lanes; the limit is 31");
    });
  }
  ShuffleArgument argument{value, kind, operand, width, 0, where};
  collective(&run_shuffle, &argument, mask, where);
  return argument.result;
}

unsigned ballot(bool predicate, unsigned mask, const Position& where) {
  Ballot argument{predicate, 0};
  collective(&run_ballot, &argument, mask, where);
  return argument.result;
}

}  // namespace minception::simt
