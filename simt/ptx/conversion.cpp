/// cvt between integers of any width.

#include "simt/ptx/values.h"
#include "simt/ptx/warp.h"

namespace minception::simt::ptx {
namespace {

/// The lower bits of a value, extended to 64 bits.
u64 extended(u64 value, unsigned bits, bool is_signed) {
  const unsigned unused = 64 - bits;
  if (is_signed) return static_cast<u64>(static_cast<s64>(value << unused) >> unused);
  return value << unused >> unused;
}

/// option: bits of the source, its sign, bits of the destination, its sign, one byte each
template <class D, class A>
const Instruction* convert(Warp& warp, const Instruction* i) {
  D* const d = row<D>(warp, i->row[0]);
  const A* const a = row<A>(warp, i->row[1]);
  const u32 option = i->option;
  for_columns(warp, [&](unsigned l) {
    const u64 value = extended(a[l], option & 0xffu, (option >> 8 & 1u) != 0);
    d[l] = static_cast<D>(extended(value, option >> 16 & 0xffu, (option >> 24 & 1u) != 0));
  });
  return i + 1;
}

template <class D>
Handler from_width(Width from) {
  switch (from) {
    case Width::half:
      return &convert<D, u16>;
    case Width::word:
      return &convert<D, u32>;
    case Width::double_word:
      return &convert<D, u64>;
    case Width::predicate:
      break;
  }
  return nullptr;
}

}  // namespace

IntegerType integer_type(std::string_view text) {
  static constexpr std::pair<std::string_view, unsigned> kBits[] = {{"8", 8}, {"16", 16}, {"32", 32}, {"64", 64}};
  if (text.empty() || (text[0] != 'u' && text[0] != 's')) return {};
  for (const auto& [digits, bits] : kBits) {
    if (text.substr(1) == digits) return {bits, text[0] == 's'};
  }
  return {};
}

Handler integer_conversion_handler(Width to, Width from) {
  switch (to) {
    case Width::half:
      return from_width<u16>(from);
    case Width::word:
      return from_width<u32>(from);
    case Width::double_word:
      return from_width<u64>(from);
    case Width::predicate:
      break;
  }
  return nullptr;
}

std::uint32_t integer_conversion_option(IntegerType to, IntegerType from) {
  return from.bits | (from.is_signed ? 1u << 8 : 0u) | to.bits << 16 | (to.is_signed ? 1u << 24 : 0u);
}

}  // namespace minception::simt::ptx
