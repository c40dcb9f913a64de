/// Loads and stores. Every access is checked: alignment, bounds, and in shared memory whether the bytes were written.

#include "simt/ptx/warp.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace minception::simt::ptx {
namespace {

// ---- device memory --------------------------------------------------------------------------------------------------

bool holds(const DeviceRange& range, const char* data, unsigned bytes) {
  return data >= range.begin && static_cast<std::size_t>(data - range.begin) < range.bytes &&
         bytes <= range.bytes - static_cast<std::size_t>(data - range.begin);
}

[[noreturn, gnu::cold, gnu::noinline]] void stop_device(Warp& warp, const Instruction* at, unsigned lane,
                                                        const char* data, unsigned bytes) {
  std::string nearest = "no allocation is near";
  for (const DeviceRange& range : *warp.block->device_memory) {
    if (data >= range.begin - 4096 && data < range.begin + range.bytes + 4096) {
      nearest = concat("byte ", data - range.begin, " of an allocation of ", range.bytes, " bytes");
    }
  }
  stop_at(warp, at, lane,
          concat("out of bounds in device memory: ", bytes, " bytes at 0x", std::hex,
                 reinterpret_cast<std::uintptr_t>(data), std::dec, ", ", nearest));
}

/// Whether the bytes are in a .const or .global variable of the module.
bool in_module(const Warp& warp, const char* data, unsigned bytes) {
  for (const Variable& variable : warp.block->program->module->global) {
    if (holds({reinterpret_cast<const char*>(variable.initial.data()), variable.bytes}, data, bytes)) return true;
  }
  return false;
}

std::byte* device(Warp& warp, const Instruction* at, unsigned lane, std::uint64_t address, unsigned bytes,
                  Access access) {
  BlockState& block = *warp.block;
  auto* const data = reinterpret_cast<char*>(address);
  if (observer != nullptr) {
    if (!in_module(warp, data, bytes)) observer->accesses(warp.thread(lane), access, data, bytes, at);
    return reinterpret_cast<std::byte*>(data);
  }
  if (block.last_range == nullptr || !holds(*block.last_range, data, bytes)) {
    const std::vector<DeviceRange>& ranges = *block.device_memory;
    const auto next = std::upper_bound(ranges.begin(), ranges.end(), data,
                                       [](const char* a, const DeviceRange& b) { return a < b.begin; });
    if (next != ranges.begin() && holds(*(next - 1), data, bytes)) {
      block.last_range = &*(next - 1);
    } else if (!in_module(warp, data, bytes)) {
      stop_device(warp, at, lane, data, bytes);
    }
  }
  return reinterpret_cast<std::byte*>(data);
}

// ---- shared memory --------------------------------------------------------------------------------------------------

/// Whether all bytes of a word are in a state that permits the access.
template <Access access, class Word>
bool permits(const std::uint8_t* states) {
  constexpr auto kOnes = static_cast<Word>(0x0101010101010101u);
  Word word;
  std::memcpy(&word, states, sizeof(Word));
  if (access == Access::write) return (static_cast<Word>(word ^ word >> 1) & kOnes) == kOnes;  // unwritten or written
  return word == static_cast<Word>(kOnes * written);
}
template <Access access>
bool permits(const std::uint8_t* states, unsigned bytes) {
  switch (bytes) {
    case 1:
      return permits<access, std::uint8_t>(states);
    case 2:
      return permits<access, std::uint16_t>(states);
    case 4:
      return permits<access, std::uint32_t>(states);
    default:
      for (unsigned i = 0; i < bytes; i += 8) {
        if (!permits<access, std::uint64_t>(states + i)) return false;
      }
      return true;
  }
}

[[noreturn, gnu::cold, gnu::noinline]] void stop_shared(Warp& warp, const Instruction* at, unsigned lane,
                                                        std::uint64_t address, unsigned bytes, Access access) {
  const BlockState& block = *warp.block;
  const std::string name = name_of_shared(*block.program, address);
  for (unsigned k = 0; k < bytes; ++k) {
    const std::uint64_t i = address + k;
    if (i >= block.shared_bytes || block.states[i] == gap) {
      stop_at(warp, at, lane, concat("out of bounds in shared memory: ", bytes, " bytes", name));
    }
    if (block.states[i] == in_flight) {
      stop_at(warp, at, lane,
              concat("missing wait: ", access == Access::write ? "writes" : "reads",
                     " shared memory that a cp.async is still writing", name));
    }
    if (access != Access::write && block.states[i] == unwritten) {
      stop_at(warp, at, lane, concat("uninitialised shared memory: reads what no thread has written", name));
    }
  }
  stop_at(warp, at, lane, concat("shared memory", name));
}

/// Also for addresses near 2^64, where `address + bytes` wraps.
bool inside(std::uint64_t address, unsigned bytes, std::uint64_t size) {
  return address < size && bytes <= size - address;
}

template <Access access>
std::byte* shared(Warp& warp, const Instruction* at, unsigned lane, std::uint64_t address, unsigned bytes) {
  BlockState& block = *warp.block;
  if (!inside(address, bytes, block.shared_bytes)) stop_shared(warp, at, lane, address, bytes, access);
  std::byte* const data = block.shared + address;
  if (observer != nullptr) {
    observer->accesses(warp.thread(lane), access, data, bytes, at);
    return data;
  }
  std::uint8_t* const states = block.states.data() + address;
  if (!permits<access>(states, bytes)) stop_shared(warp, at, lane, address, bytes, access);
  if (access != Access::read) std::memset(states, written, bytes);
  return data;
}

}  // namespace

std::string name_of_shared(const Program& program, std::uint64_t offset) {
  for (const Variable& variable : program.shared) {
    if (offset < variable.offset || (!variable.dynamic && offset >= variable.offset + variable.bytes)) continue;
    return concat(", byte ", offset - variable.offset, " of ",
                  variable.dynamic ? std::string_view("dynamic shared memory") : variable.name);
  }
  return "";
}

template <Space space, Access access>
std::byte* locate(Warp& warp, const Instruction* at, unsigned lane, std::uint64_t address, unsigned bytes) {
  if (address % bytes != 0) {
    stop_at(warp, at, lane, concat("misaligned: ", bytes, " bytes at 0x", std::hex, address));
  }
  if constexpr (space == Space::generic) {
    if ((address & kWindowMask) == kSharedWindow) {
      return locate<Space::shared, access>(warp, at, lane, address & ~kWindowMask, bytes);
    }
    if ((address & kWindowMask) == kLocalWindow) {
      return locate<Space::local, access>(warp, at, lane, address & ~kWindowMask, bytes);
    }
    return device(warp, at, lane, address, bytes, access);
  } else if constexpr (space == Space::global) {
    return device(warp, at, lane, address, bytes, access);
  } else if constexpr (space == Space::shared) {
    return shared<access>(warp, at, lane, address, bytes);
  } else if constexpr (space == Space::local) {
    const std::uint64_t size = warp.block->program->local_bytes;
    if (!inside(address, bytes, size)) stop_at(warp, at, lane, concat("out of bounds in local memory, byte ", address));
    return warp.local.data() + lane * size + address;
  } else {
    if (!inside(address, bytes, warp.block->program->kernel.parameter_bytes)) {
      stop_at(warp, at, lane, concat("out of bounds in the parameters, byte ", static_cast<std::int64_t>(address)));
    }
    return const_cast<std::byte*>(warp.block->parameters) + address;
  }
}
template std::byte* locate<Space::global, Access::read>(Warp&, const Instruction*, unsigned, std::uint64_t, unsigned);
template std::byte* locate<Space::shared, Access::read>(Warp&, const Instruction*, unsigned, std::uint64_t, unsigned);
template std::byte* locate<Space::generic, Access::atomic>(Warp&, const Instruction*, unsigned, std::uint64_t,
                                                           unsigned);
template std::byte* locate<Space::global, Access::atomic>(Warp&, const Instruction*, unsigned, std::uint64_t, unsigned);
template std::byte* locate<Space::shared, Access::atomic>(Warp&, const Instruction*, unsigned, std::uint64_t, unsigned);

// ---- ld and st ------------------------------------------------------------------------------------------------------

namespace {

/// Address is std::uint32_t, std::uint64_t, or void for a fixed address. `index`: of the address among the operands.
template <class Address>
std::uint64_t address_of(Warp& warp, const Instruction* i, unsigned index, unsigned lane) {
  if constexpr (std::is_void_v<Address>) {
    return static_cast<std::uint64_t>(i->immediate);
  } else {
    // The sum wraps at the width of the address.
    const std::uint32_t offset = index > 1 ? i->rows[index] : i->row[index & 3u];
    return static_cast<Address>(row<Address>(warp, offset)[lane] + static_cast<Address>(i->immediate));
  }
}

template <Space space, class Element, class Register, unsigned count, class Address>
const Instruction* load(Warp& warp, const Instruction* i) {
  for_active(warp, [&](unsigned lane) {
    const std::byte* from =
        locate<space, Access::read>(warp, i, lane, address_of<Address>(warp, i, count, lane), sizeof(Element) * count);
    Element elements[count];
    std::memcpy(elements, from, sizeof(elements));
    for (unsigned k = 0; k < count; ++k) {
      row<Register>(warp, count > 1 ? i->rows[k] : i->row[k & 3u])[lane] = static_cast<Register>(elements[k]);
    }
  });
  return i + 1;
}
template <Space space, class Element, class Register, unsigned count, class Address>
const Instruction* store(Warp& warp, const Instruction* i) {
  for_active(warp, [&](unsigned lane) {
    Element elements[count];
    for (unsigned k = 0; k < count; ++k) {
      elements[k] = static_cast<Element>(row<Register>(warp, count > 1 ? i->rows[k] : i->row[k & 3u])[lane]);
    }
    std::byte* to =
        locate<space, Access::write>(warp, i, lane, address_of<Address>(warp, i, count, lane), sizeof(Element) * count);
    std::memcpy(to, elements, sizeof(elements));
  });
  return i + 1;
}

/// Selects the instance of `load` or `store`, one template parameter after the other. Null: not supported.
struct Form {
  std::string_view type;
  unsigned count;
  Width register_width;
  bool fixed_address;
  Width address_width;

  template <bool storing, Space space, class Element, class Register, unsigned elements>
  Handler by_address() const {
    const auto pick = [&]<class Address>() -> Handler {
      if constexpr (storing) return &store<space, Element, Register, elements, Address>;
      return &load<space, Element, Register, elements, Address>;
    };
    if (fixed_address) return pick.template operator()<void>();
    if (address_width == Width::double_word) return pick.template operator()<std::uint64_t>();
    if constexpr (space == Space::shared) {
      if (address_width == Width::word) return pick.template operator()<std::uint32_t>();
    }
    return nullptr;
  }
  template <bool storing, Space space, class Element, class Register>
  Handler by_count() const {
    if (count == 1) return by_address<storing, space, Element, Register, 1>();
    if (count == 2) return by_address<storing, space, Element, Register, 2>();
    if constexpr (sizeof(Element) <= 4) {
      if (count == 4) return by_address<storing, space, Element, Register, 4>();
    }
    return nullptr;
  }
  /// A register may be wider than the element: loads extend it, stores truncate it.
  template <bool storing, Space space, class Element>
  Handler by_register() const {
    if (register_width == Width::double_word) return by_count<storing, space, Element, std::uint64_t>();
    if constexpr (sizeof(Element) <= 4) {
      if (register_width == Width::word) return by_count<storing, space, Element, std::uint32_t>();
    }
    if constexpr (sizeof(Element) <= 2) {
      if (register_width == Width::half) return by_count<storing, space, Element, std::uint16_t>();
    }
    return nullptr;
  }
  template <bool storing, Space space>
  Handler by_type() const {
    if (type == "u8" || type == "b8") return by_register<storing, space, std::uint8_t>();
    if (type == "s8") return by_register<storing, space, std::int8_t>();
    if (type == "u16" || type == "b16") return by_register<storing, space, std::uint16_t>();
    if (type == "s16") return by_register<storing, space, std::int16_t>();
    if (type == "u32" || type == "b32" || type == "f32") return by_register<storing, space, std::uint32_t>();
    if (type == "s32") return by_register<storing, space, std::int32_t>();
    if (type == "u64" || type == "b64" || type == "s64" || type == "f64") {
      return by_register<storing, space, std::uint64_t>();
    }
    return nullptr;
  }
  template <bool storing>
  Handler by_space(Space space) const {
    switch (space) {
      case Space::generic:
        return by_type<storing, Space::generic>();
      case Space::global:
        return by_type<storing, Space::global>();
      case Space::shared:
        return by_type<storing, Space::shared>();
      case Space::local:
        return by_type<storing, Space::local>();
      case Space::parameter:
        if constexpr (!storing) return by_type<storing, Space::parameter>();
        break;
    }
    return nullptr;
  }
};

}  // namespace

Handler load_handler(Space space, std::string_view type, unsigned count, Width register_width, bool fixed_address,
                     Width address_width) {
  return Form{type, count, register_width, fixed_address, address_width}.by_space<false>(space);
}
Handler store_handler(Space space, std::string_view type, unsigned count, Width register_width, bool fixed_address,
                      Width address_width) {
  return Form{type, count, register_width, fixed_address, address_width}.by_space<true>(space);
}

}  // namespace minception::simt::ptx
