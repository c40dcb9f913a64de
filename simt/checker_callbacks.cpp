/// The functions that code compiled with -fsanitize=thread calls for each memory access. Compiled without it.

#include "simt/checker.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace minception::simt {
namespace {

/// Whether to check the access: it comes from a kernel and is outside the thread's own stack.
inline bool is_seen(std::uintptr_t address) {
  const Thread* thread = current;
  if (thread == nullptr) return false;
  if (thread != running.thread) checker_switches_to(*thread);
  return address - running.stack >= running.stack_bytes;
}

inline void see(Access access, const volatile void* data, unsigned bytes, const void* return_address) {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  if (is_seen(address)) checker_sees(access, address, bytes, reinterpret_cast<std::uintptr_t>(return_address));
}

/// An access of any size and alignment, split into the widest possible aligned accesses (up to 16 bytes).
void see_range(Access access, const volatile void* data, std::size_t bytes, const void* return_address) {
  auto address = reinterpret_cast<std::uintptr_t>(data);
  if (!is_seen(address)) return;
  while (bytes > 0) {
    const std::size_t aligned = std::size_t{1} << std::min(4, std::countr_zero(address));
    const std::size_t piece = std::min(aligned, std::bit_floor(bytes));
    checker_sees(access, address, static_cast<unsigned>(piece), reinterpret_cast<std::uintptr_t>(return_address));
    address += piece;
    bytes -= piece;
  }
}

/// C++ atomics are for host code only; kernels use the atomics of cuda.h.
inline void refuse_in_kernels() {
  if (current != nullptr) {
    stop([] { return "a C++ atomic; use atomicAdd and the other CUDA atomics of cuda.h"; });
  }
}

}  // namespace
}  // namespace minception::simt

using minception::simt::Access;
using minception::simt::refuse_in_kernels;
using minception::simt::see;
using minception::simt::see_range;

#define RETURN_ADDRESS __builtin_return_address(0)

#define MINCEPTION_ACCESSES(bytes)                                                                              \
  void __tsan_read##bytes(void* data) { see(Access::read, data, bytes, RETURN_ADDRESS); }                       \
  void __tsan_write##bytes(void* data) { see(Access::write, data, bytes, RETURN_ADDRESS); }                     \
  void __tsan_volatile_read##bytes(void* data) { see(Access::read, data, bytes, RETURN_ADDRESS); }              \
  void __tsan_volatile_write##bytes(void* data) { see(Access::write, data, bytes, RETURN_ADDRESS); }            \
  void __tsan_unaligned_read##bytes(const void* data) { see_range(Access::read, data, bytes, RETURN_ADDRESS); } \
  void __tsan_unaligned_write##bytes(void* data) { see_range(Access::write, data, bytes, RETURN_ADDRESS); }     \
  void __tsan_unaligned_volatile_read##bytes(const void* data) {                                                \
    see_range(Access::read, data, bytes, RETURN_ADDRESS);                                                       \
  }                                                                                                             \
  void __tsan_unaligned_volatile_write##bytes(void* data) { see_range(Access::write, data, bytes, RETURN_ADDRESS); }

#define MINCEPTION_FETCH(bits, T, name)                                  \
  T __tsan_atomic##bits##_fetch_##name(volatile T* data, T value, int) { \
    refuse_in_kernels();                                                 \
    return __atomic_fetch_##name(data, value, __ATOMIC_SEQ_CST);         \
  }
#define MINCEPTION_ATOMICS(bits, T)                                                                         \
  T __tsan_atomic##bits##_load(const volatile T* data, int) {                                               \
    refuse_in_kernels();                                                                                    \
    return __atomic_load_n(data, __ATOMIC_SEQ_CST);                                                         \
  }                                                                                                         \
  void __tsan_atomic##bits##_store(volatile T* data, T value, int) {                                        \
    refuse_in_kernels();                                                                                    \
    __atomic_store_n(data, value, __ATOMIC_SEQ_CST);                                                        \
  }                                                                                                         \
  T __tsan_atomic##bits##_exchange(volatile T* data, T value, int) {                                        \
    refuse_in_kernels();                                                                                    \
    return __atomic_exchange_n(data, value, __ATOMIC_SEQ_CST);                                              \
  }                                                                                                         \
  bool __tsan_atomic##bits##_compare_exchange_strong(volatile T* data, T* expected, T desired, int, int) {  \
    refuse_in_kernels();                                                                                    \
    return __atomic_compare_exchange_n(data, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }                                                                                                         \
  bool __tsan_atomic##bits##_compare_exchange_weak(volatile T* data, T* expected, T desired, int, int) {    \
    refuse_in_kernels();                                                                                    \
    return __atomic_compare_exchange_n(data, expected, desired, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
  }                                                                                                         \
  MINCEPTION_FETCH(bits, T, add)                                                                            \
  MINCEPTION_FETCH(bits, T, sub)                                                                            \
  MINCEPTION_FETCH(bits, T, and)                                                                            \
  MINCEPTION_FETCH(bits, T, or)                                                                             \
  MINCEPTION_FETCH(bits, T, xor)                                                                            \
  MINCEPTION_FETCH(bits, T, nand)

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void*, void*) {}  // host objects only
void __tsan_vptr_read(void*) {}
MINCEPTION_ACCESSES(1)
MINCEPTION_ACCESSES(2)
MINCEPTION_ACCESSES(4)
MINCEPTION_ACCESSES(8)
MINCEPTION_ACCESSES(16)
void __tsan_read_range(void* data, std::size_t bytes) { see_range(Access::read, data, bytes, RETURN_ADDRESS); }
void __tsan_write_range(void* data, std::size_t bytes) { see_range(Access::write, data, bytes, RETURN_ADDRESS); }
MINCEPTION_ATOMICS(8, std::uint8_t)
MINCEPTION_ATOMICS(16, std::uint16_t)
MINCEPTION_ATOMICS(32, std::uint32_t)
MINCEPTION_ATOMICS(64, std::uint64_t)
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }
}
