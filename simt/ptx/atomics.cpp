/// atom, red and fences. Blocks may run on several OS threads, so these are atomics of the host, sequentially
/// consistent.

#include "simt/ptx/warp.h"

#include <algorithm>
#include <atomic>
#include <type_traits>

namespace minception::simt::ptx {
namespace {

struct Add {
  template <class T>
  T operator()(T old, T value, T) const {
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(old) + static_cast<std::make_unsigned_t<T>>(value));
  }
};
struct Minimum {
  template <class T>
  T operator()(T old, T value, T) const {
    return std::min(old, value);
  }
};
struct Maximum {
  template <class T>
  T operator()(T old, T value, T) const {
    return std::max(old, value);
  }
};
struct Exchange {
  template <class T>
  T operator()(T, T value, T) const {
    return value;
  }
};
struct And {
  template <class T>
  T operator()(T old, T value, T) const {
    return old & value;
  }
};
struct Or {
  template <class T>
  T operator()(T old, T value, T) const {
    return old | value;
  }
};
struct Xor {
  template <class T>
  T operator()(T old, T value, T) const {
    return old ^ value;
  }
};
struct Increment {
  template <class T>
  T operator()(T old, T limit, T) const {
    return old >= limit ? T{0} : static_cast<T>(old + 1);
  }
};
struct CompareExchange {
  template <class T>
  T operator()(T old, T compare, T value) const {
    return old == compare ? value : old;
  }
};

/// Operands: {destination,} address, value {, second value}
template <Space space, class T, class Operation, bool has_destination, class Address>
const Instruction* update(Warp& warp, const Instruction* i) {
  constexpr unsigned kAddress = has_destination ? 1 : 0;
  constexpr bool kTwoValues = std::is_same_v<Operation, CompareExchange>;
  for_active(warp, [&](unsigned lane) {
    const auto address =
        static_cast<Address>(row<Address>(warp, i->row[kAddress])[lane] + static_cast<Address>(i->immediate));
    T* const data = reinterpret_cast<T*>(locate<space, Access::atomic>(warp, i, lane, address, sizeof(T)));
    const T value = row<T>(warp, i->row[kAddress + 1])[lane];
    const T second = kTwoValues ? row<T>(warp, i->row[(kAddress + 2) & 3u])[lane] : T{0};
    const std::atomic_ref<T> target(*data);
    T old = target.load();
    while (!target.compare_exchange_weak(old, Operation{}(old, value, second))) {
    }
    if (has_destination) row<T>(warp, i->row[0])[lane] = old;
  });
  return i + 1;
}

template <Space space, class T, class Operation>
Handler by_form(bool has_destination, Width address_width) {
  if (address_width == Width::double_word) {
    return has_destination ? &update<space, T, Operation, true, std::uint64_t>
                           : &update<space, T, Operation, false, std::uint64_t>;
  }
  if constexpr (space == Space::shared) {
    if (address_width == Width::word) {
      return has_destination ? &update<space, T, Operation, true, std::uint32_t>
                             : &update<space, T, Operation, false, std::uint32_t>;
    }
  }
  return nullptr;
}

template <Space space, class T>
Handler by_operation(std::string_view operation, bool has_destination, Width address_width) {
  if (operation == "add") return by_form<space, T, Add>(has_destination, address_width);
  if (operation == "min") return by_form<space, T, Minimum>(has_destination, address_width);
  if (operation == "max") return by_form<space, T, Maximum>(has_destination, address_width);
  if (operation == "exch") return by_form<space, T, Exchange>(has_destination, address_width);
  if (operation == "and") return by_form<space, T, And>(has_destination, address_width);
  if (operation == "or") return by_form<space, T, Or>(has_destination, address_width);
  if (operation == "xor") return by_form<space, T, Xor>(has_destination, address_width);
  if (operation == "inc") return by_form<space, T, Increment>(has_destination, address_width);
  if (operation == "cas") return by_form<space, T, CompareExchange>(has_destination, address_width);
  return nullptr;
}

template <Space space>
Handler by_type(std::string_view operation, std::string_view type, bool has_destination, Width address_width) {
  if (type == "u32" || type == "b32")
    return by_operation<space, std::uint32_t>(operation, has_destination, address_width);
  if (type == "s32") return by_operation<space, std::int32_t>(operation, has_destination, address_width);
  if (type == "u64" || type == "b64")
    return by_operation<space, std::uint64_t>(operation, has_destination, address_width);
  if (type == "s64") return by_operation<space, std::int64_t>(operation, has_destination, address_width);
  return nullptr;  // sums of floats depend on the order
}

/// The observer sees only fences that order the accesses of blocks.
template <bool between_blocks>
const Instruction* fence(Warp& warp, const Instruction* i) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (between_blocks && observer != nullptr) {
    for_active(warp, [&](unsigned lane) { observer->fence(warp.thread(lane)); });
  }
  return i + 1;
}

}  // namespace

Handler atomic_handler(Space space, std::string_view operation, std::string_view type, bool has_destination,
                       Width address_width) {
  switch (space) {
    case Space::generic:
      return by_type<Space::generic>(operation, type, has_destination, address_width);
    case Space::global:
      return by_type<Space::global>(operation, type, has_destination, address_width);
    case Space::shared:
      return by_type<Space::shared>(operation, type, has_destination, address_width);
    case Space::local:
    case Space::parameter:
      break;
  }
  return nullptr;
}

Handler fence_handler(bool between_blocks) { return between_blocks ? &fence<true> : &fence<false>; }

}  // namespace minception::simt::ptx
