#pragma once
/// State of a running block, as the instruction handlers see it. A warp executes in lockstep: an instruction runs for
/// all lanes that have the same program counter, on columns of the register file.

#include "core/error.h"
#include "simt/executor.h"
#include "simt/memory.h"
#include "simt/observer.h"
#include "simt/ptx/program.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

namespace minception::simt::ptx {

/// State of a byte of shared memory. A gap belongs to no variable; `in_flight` is the target of a pending cp.async.
enum ByteState : std::uint8_t { gap = 0, unwritten = 1, written = 2, in_flight = 3 };

struct Counts {
  std::uint64_t instructions = 0;  ///< of all threads
  std::uint64_t barriers = 0, collectives = 0, mma = 0, mma_flops = 0;
};

struct BlockState {
  const Program* program = nullptr;
  Thread* threads = nullptr;  ///< one per thread of the block
  const std::byte* parameters = nullptr;
  std::byte* shared = nullptr;
  std::uint64_t shared_bytes = 0;
  std::vector<std::uint8_t> states;  ///< ByteState of each byte; unused if there is an observer, which keeps its own
  const std::vector<DeviceRange>* device_memory = nullptr;  ///< ascending
  const DeviceRange* last_range = nullptr;                  ///< of the last access
  bool eager_copies = false;
  Counts counts;
};

struct Copy {
  PendingCopy pending;
  unsigned valid_bytes = 0;
  unsigned lane = 0;
};

struct Warp {
  std::byte* registers = nullptr;
  const Instruction* code = nullptr;
  const Instruction* end = nullptr;

  std::uint32_t mask = 0;  ///< lanes that execute the current instruction
  bool full = false;       ///< `mask` has all live lanes, so the columns of the others are free
  std::uint32_t present = 0, live = 0;
  std::uint32_t running = 0, waiting = 0, at_barrier = 0;  ///< these partition `live`
  const Instruction* next[kLanes] = {};                    ///< program counters of lanes outside `mask`
  std::vector<Copy> copies;
  std::vector<std::byte> local;
  BlockState* block = nullptr;
  unsigned number = 0;

  Thread& thread(unsigned lane) const { return block->threads[number * kLanes + lane]; }
};

template <class T>
T* row(const Warp& warp, std::uint32_t offset) {
  return reinterpret_cast<T*>(warp.registers + offset);
}

/// Calls f(lane) for active lanes, and perhaps for others whose columns are free: for operations that cannot fail.
template <class F>
[[gnu::always_inline]] inline void for_columns(const Warp& warp, F&& f) {
  if (warp.full) {
#pragma GCC ivdep
    for (unsigned lane = 0; lane < kLanes; ++lane) f(lane);
  } else {
    for (std::uint32_t rest = warp.mask; rest != 0; rest &= rest - 1) f(static_cast<unsigned>(std::countr_zero(rest)));
  }
}

/// Calls f(lane) for active lanes only.
template <class F>
[[gnu::always_inline]] inline void for_active(const Warp& warp, F&& f) {
  for (std::uint32_t rest = warp.mask; rest != 0; rest &= rest - 1) f(static_cast<unsigned>(std::countr_zero(rest)));
}

inline unsigned first_lane(std::uint32_t mask) { return static_cast<unsigned>(std::countr_zero(mask)); }

/// Ends the kernel with an error that names the kernel, block, thread, position and instruction.
[[noreturn, gnu::cold, gnu::noinline]] void stop_at(const Warp& warp, const Instruction* at, unsigned lane,
                                                    std::string_view what);

// ---- memory.cpp -----------------------------------------------------------------------------------------------------

enum class Space : std::uint8_t { generic, global, shared, local, parameter };

/// Generic addresses of shared and local memory; all others are device memory.
inline constexpr std::uint64_t kSharedWindow = 0xffff500000000000u, kLocalWindow = 0xffff600000000000u;
inline constexpr std::uint64_t kWindowMask = 0xffffff0000000000u;

/// The memory of an access after all checks.
template <Space space, Access access>
std::byte* locate(Warp& warp, const Instruction* at, unsigned lane, std::uint64_t address, unsigned bytes);

/// ", byte 4 of tile"
std::string name_of_shared(const Program& program, std::uint64_t offset);

/// Handlers of ld and st. `type` is "u8" ... "f64". Null if the combination is not supported. `fixed_address`: the
/// immediate operand is the address, otherwise it is added to a register of `address_width`.
Handler load_handler(Space space, std::string_view type, unsigned count, Width register_width, bool fixed_address,
                     Width address_width);
Handler store_handler(Space space, std::string_view type, unsigned count, Width register_width, bool fixed_address,
                      Width address_width);

// ---- atomics.cpp ----------------------------------------------------------------------------------------------------

/// Handler of atom and red ("add", "min", "cas", ...) on `type` "u32", "s64", ... in global or shared memory; red has
/// no destination. Null if not supported.
Handler atomic_handler(Space space, std::string_view operation, std::string_view type, bool has_destination,
                       Width address_width);
Handler fence_handler(bool between_blocks);

// ---- control.cpp ----------------------------------------------------------------------------------------------------

Handler branch_handler(bool conditional, bool negated);
Handler exit_handler();
Handler barrier_handler();
Handler copy_handler(Width address_width, bool has_size);
Handler commit_handler();
Handler wait_handler();
Handler wait_all_handler();

// ---- collectives.cpp ------------------------------------------------------------------------------------------------

Handler warp_barrier_handler();
Handler ldmatrix_handler(unsigned count, bool transposed);
Handler mma_handler(bool bf16);
Handler shuffle_handler(std::string_view kind, bool has_predicate);
Handler vote_handler(std::string_view kind);

// ---- arithmetic.cpp, conversion.cpp ---------------------------------------------------------------------------------

struct Opcode {
  Handler run = nullptr;
  const char* widths = "";  ///< Width of each operand, destination first
};
const std::map<std::string_view, Opcode>& opcodes();

struct IntegerType {
  unsigned bits = 0;
  bool is_signed = false;
};
/// "s32" -> {32, true}; 0 bits for other types.
IntegerType integer_type(std::string_view text);
/// cvt between integers in registers that may be wider than the types. The option of the instruction has the types.
Handler integer_conversion_handler(Width to, Width from);
std::uint32_t integer_conversion_option(IntegerType to, IntegerType from);

/// mov.b32 d, {a, b} and mov.b32 {a, b}, s
Handler pack_handler(unsigned parts, Width width);
Handler unpack_handler(unsigned parts, Width width);

}  // namespace minception::simt::ptx
