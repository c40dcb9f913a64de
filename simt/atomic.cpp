/// Integer atomics and __threadfence. Compiled without sanitizers; calls the checker explicitly.

#include "core/error.h"
#include "simt/observer.h"

#include <algorithm>
#include <atomic>
#include <type_traits>

namespace minception::simt {
namespace {

template <class T>
T updated(T old, Atomic operation, T value, T compare) {
  switch (operation) {
    case Atomic::add:
      return static_cast<T>(static_cast<std::make_unsigned_t<T>>(old) + static_cast<std::make_unsigned_t<T>>(value));
    case Atomic::maximum:
      return std::max(old, value);
    case Atomic::minimum:
      return std::min(old, value);
    case Atomic::exchange:
      return value;
    case Atomic::bit_or:
      return static_cast<T>(old | value);
    case Atomic::bit_and:
      return static_cast<T>(old & value);
    case Atomic::increment:
      return old >= value ? T{0} : static_cast<T>(old + 1);
    case Atomic::compare_exchange:
      return old == compare ? value : old;
  }
  return old;
}

template <class T>
std::uint64_t update(void* address, Atomic operation, std::uint64_t value, std::uint64_t compare) {
  std::atomic_ref<T> cell(*static_cast<T*>(address));
  T old = cell.load();
  while (!cell.compare_exchange_weak(old, updated(old, operation, static_cast<T>(value), static_cast<T>(compare)))) {
  }
  return static_cast<std::uint64_t>(old);
}

}  // namespace

void thread_fence() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (observer != nullptr) observer->fence(*current);
}

std::uint64_t atomic_update(void* address, unsigned bytes, bool is_signed, Atomic operation, std::uint64_t value,
                            std::uint64_t compare, const Position& where) {
  if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0) {
    stop([&] {
      return concat("the atomic at ", to_string(where), " acts on an address that is not a multiple of ", bytes);
    });
  }
  if (observer != nullptr) observer->atomic(*current, address, bytes, where);
  if (bytes == 4) {
    return is_signed ? update<std::int32_t>(address, operation, value, compare)
                     : update<std::uint32_t>(address, operation, value, compare);
  }
  return is_signed ? update<std::int64_t>(address, operation, value, compare)
                   : update<std::uint64_t>(address, operation, value, compare);
}

}  // namespace minception::simt
