/// Arithmetic instructions, as a table of expressions. Compiled with -ffp-contract=off: only fma fuses.

#include "simt/ptx/values.h"
#include "simt/ptx/warp.h"

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <type_traits>

namespace minception::simt::ptx {
namespace {

template <class D, class A, class F>
const Instruction* unary(Warp& warp, const Instruction* i) {
  D* const d = row<D>(warp, i->row[0]);
  const A* const a = row<A>(warp, i->row[1]);
  for_columns(warp, [&](unsigned l) { d[l] = F{}(a[l]); });
  return i + 1;
}
template <class D, class A, class B, class F>
const Instruction* binary(Warp& warp, const Instruction* i) {
  D* const d = row<D>(warp, i->row[0]);
  const A* const a = row<A>(warp, i->row[1]);
  const B* const b = row<B>(warp, i->row[2]);
  for_columns(warp, [&](unsigned l) { d[l] = F{}(a[l], b[l]); });
  return i + 1;
}
template <class D, class A, class B, class C, class F>
const Instruction* ternary(Warp& warp, const Instruction* i) {
  D* const d = row<D>(warp, i->row[0]);
  const A* const a = row<A>(warp, i->row[1]);
  const B* const b = row<B>(warp, i->row[2]);
  const C* const c = row<C>(warp, i->row[3]);
  for_columns(warp, [&](unsigned l) { d[l] = F{}(a[l], b[l], c[l]); });
  return i + 1;
}

/// Division by zero has an unspecified result, so it is an error.
template <class T, bool remainder>
const Instruction* divide(Warp& warp, const Instruction* i) {
  T* const d = row<T>(warp, i->row[0]);
  const T* const a = row<T>(warp, i->row[1]);
  const T* const b = row<T>(warp, i->row[2]);
  for_active(warp, [&](unsigned l) {
    if (b[l] == 0) stop_at(warp, i, l, "integer division by zero");
    if constexpr (std::is_signed_v<T>) {
      if (b[l] == -1) {
        d[l] = remainder ? T{0} : static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a[l]));
        return;
      }
    }
    d[l] = static_cast<T>(remainder ? a[l] % b[l] : a[l] / b[l]);
  });
  return i + 1;
}

template <class T, int mode>
const Instruction* fma_rounded(Warp& warp, const Instruction* i) {
  T* const d = row<T>(warp, i->row[0]);
  const T* const a = row<T>(warp, i->row[1]);
  const T* const b = row<T>(warp, i->row[2]);
  const T* const c = row<T>(warp, i->row[3]);
  const int before = std::fegetround();
  std::fesetround(mode);
  for_active(warp, [&](unsigned l) {
    volatile T x = a[l];  // keeps the computation between the changes of the rounding mode
    volatile T result = std::fma(static_cast<T>(x), b[l], c[l]);
    d[l] = result;
  });
  std::fesetround(before);
  return i + 1;
}

/// bfi.b32 d, a, b, at, count: inserts the lower `count` bits of a into b.
const Instruction* insert_bits(Warp& warp, const Instruction* i) {
  u32* const d = row<u32>(warp, i->rows[0]);
  const u32* const a = row<u32>(warp, i->rows[1]);
  const u32* const b = row<u32>(warp, i->rows[2]);
  const u32* const at = row<u32>(warp, i->rows[3]);
  const u32* const count = row<u32>(warp, i->rows[4]);
  for_columns(warp, [&](unsigned l) {
    const u32 first = std::min(at[l] & 0xffu, 32u);
    const u64 mask = ((u64{1} << std::min(count[l] & 0xffu, 32u)) - 1) << first;
    d[l] = static_cast<u32>((b[l] & ~mask) | (u64{a[l]} << first & mask));
  });
  return i + 1;
}

template <class Whole, class Part>
const Instruction* pack(Warp& warp, const Instruction* i) {
  constexpr unsigned kParts = sizeof(Whole) / sizeof(Part);
  Whole* const d = row<Whole>(warp, i->rows[0]);
  for_active(warp, [&](unsigned l) {
    Whole whole = 0;
    for (unsigned k = 0; k < kParts; ++k) {
      whole |= static_cast<Whole>(static_cast<Whole>(row<Part>(warp, i->rows[1 + k])[l]) << 8 * sizeof(Part) * k);
    }
    d[l] = whole;
  });
  return i + 1;
}
template <class Whole, class Part>
const Instruction* unpack(Warp& warp, const Instruction* i) {
  constexpr unsigned kParts = sizeof(Whole) / sizeof(Part);
  const Whole* const s = row<Whole>(warp, i->rows[kParts]);
  for_active(warp, [&](unsigned l) {
    const Whole whole = s[l];
    for (unsigned k = 0; k < kParts; ++k) {
      row<Part>(warp, i->rows[k])[l] = static_cast<Part>(whole >> 8 * sizeof(Part) * k);
    }
  });
  return i + 1;
}

// ---- the table ------------------------------------------------------------------------------------------------------

using Table = std::map<std::string_view, Opcode>;

// UNARY("neg.s32", "ww", u32, u32, 0 - a): the expression computes the destination from a (b, c).
#define UNARY(name, widths, D, A, expression) \
  table[name] = {&unary<D, A, decltype([](A a) -> D { return static_cast<D>(expression); })>, widths}
#define BINARY(name, widths, D, A, B, expression) \
  table[name] = {&binary<D, A, B, decltype([](A a, B b) -> D { return static_cast<D>(expression); })>, widths}
#define TERNARY(name, widths, D, A, B, C, expression) \
  table[name] = {&ternary<D, A, B, C, decltype([](A a, B b, C c) -> D { return static_cast<D>(expression); })>, widths}

#define MOVE(type, w, T)            \
  UNARY("mov." type, w w, T, T, a); \
  TERNARY("selp." type, w w w "p", T, T, T, pred, c ? a : b)

/// setp, also combined with a predicate.
#define COMPARE(name, type, w, T, expression)                                               \
  BINARY("setp." name "." type, "p" w w, pred, T, T, (expression) ? ~0u : 0u);              \
  TERNARY("setp." name ".and." type, "p" w w "p", pred, T, T, pred, (expression) ? c : 0u); \
  TERNARY("setp." name ".or." type, "p" w w "p", pred, T, T, pred, (expression) ? ~0u : c); \
  TERNARY("setp." name ".xor." type, "p" w w "p", pred, T, T, pred, (expression) ? ~c : c)
#define COMPARE_EQUAL(type, w, T)    \
  COMPARE("eq", type, w, T, a == b); \
  COMPARE("ne", type, w, T, a != b)
#define COMPARE_ORDER(type, w, T)    \
  COMPARE("lt", type, w, T, a < b);  \
  COMPARE("le", type, w, T, a <= b); \
  COMPARE("gt", type, w, T, a > b);  \
  COMPARE("ge", type, w, T, a >= b)

#define INTEGER(bits, w, S, U)                                                          \
  BINARY("add.s" bits, w w w, U, U, U, a + b);                                          \
  BINARY("add.u" bits, w w w, U, U, U, a + b);                                          \
  BINARY("sub.s" bits, w w w, U, U, U, a - b);                                          \
  BINARY("sub.u" bits, w w w, U, U, U, a - b);                                          \
  BINARY("mul.lo.s" bits, w w w, U, U, U, static_cast<u64>(a) * b);                     \
  BINARY("mul.lo.u" bits, w w w, U, U, U, static_cast<u64>(a) * b);                     \
  TERNARY("mad.lo.s" bits, w w w w, U, U, U, U, static_cast<u64>(a) * b + c);           \
  TERNARY("mad.lo.u" bits, w w w w, U, U, U, U, static_cast<u64>(a) * b + c);           \
  table["div.s" bits] = {&divide<S, false>, w w w};                                     \
  table["div.u" bits] = {&divide<U, false>, w w w};                                     \
  table["rem.s" bits] = {&divide<S, true>, w w w};                                      \
  table["rem.u" bits] = {&divide<U, true>, w w w};                                      \
  UNARY("neg.s" bits, w w, U, U, U{0} - a);                                             \
  UNARY("abs.s" bits, w w, U, S, a < 0 ? U{0} - static_cast<U>(a) : static_cast<U>(a)); \
  BINARY("min.s" bits, w w w, S, S, S, b < a ? b : a);                                  \
  BINARY("min.u" bits, w w w, U, U, U, b < a ? b : a);                                  \
  BINARY("max.s" bits, w w w, S, S, S, a < b ? b : a);                                  \
  BINARY("max.u" bits, w w w, U, U, U, a < b ? b : a);                                  \
  BINARY("and.b" bits, w w w, U, U, U, a& b);                                           \
  BINARY("or.b" bits, w w w, U, U, U, a | b);                                           \
  BINARY("xor.b" bits, w w w, U, U, U, a ^ b);                                          \
  UNARY("not.b" bits, w w, U, U, ~a);                                                   \
  BINARY("shl.b" bits, w w "w", U, U, u32, shift_left<U>(a, b));                        \
  BINARY("shr.b" bits, w w "w", U, U, u32, shift_right<U>(a, b));                       \
  BINARY("shr.u" bits, w w "w", U, U, u32, shift_right<U>(a, b));                       \
  BINARY("shr.s" bits, w w "w", S, S, u32, shift_right<S>(a, b));                       \
  MOVE("b" bits, w, U);                                                                 \
  MOVE("u" bits, w, U);                                                                 \
  MOVE("s" bits, w, U);                                                                 \
  COMPARE_EQUAL("b" bits, w, U);                                                        \
  COMPARE_EQUAL("u" bits, w, U);                                                        \
  COMPARE_EQUAL("s" bits, w, U);                                                        \
  COMPARE_ORDER("u" bits, w, U);                                                        \
  COMPARE_ORDER("s" bits, w, S)

/// Comparisons with "u" are true if an operand is NaN, those without are false.
#define FLOATING(type, w, T)                                       \
  BINARY("add." type, w w w, T, T, T, a + b);                      \
  BINARY("add.rn." type, w w w, T, T, T, a + b);                   \
  BINARY("sub." type, w w w, T, T, T, a - b);                      \
  BINARY("sub.rn." type, w w w, T, T, T, a - b);                   \
  BINARY("mul." type, w w w, T, T, T, a* b);                       \
  BINARY("mul.rn." type, w w w, T, T, T, a* b);                    \
  BINARY("div.rn." type, w w w, T, T, T, a / b);                   \
  TERNARY("fma.rn." type, w w w w, T, T, T, T, std::fma(a, b, c)); \
  UNARY("rcp.rn." type, w w, T, T, T{1} / a);                      \
  UNARY("sqrt.rn." type, w w, T, T, std::sqrt(a));                 \
  UNARY("neg." type, w w, T, T, -a);                               \
  UNARY("abs." type, w w, T, T, std::fabs(a));                     \
  BINARY("copysign." type, w w w, T, T, T, std::copysign(b, a));   \
  BINARY("min." type, w w w, T, T, T, minimum(a, b));              \
  BINARY("max." type, w w w, T, T, T, maximum(a, b));              \
  MOVE(type, w, T);                                                \
  COMPARE_ORDER(type, w, T);                                       \
  COMPARE("eq", type, w, T, a == b);                               \
  COMPARE("ne", type, w, T, a<b || a> b);                          \
  COMPARE("equ", type, w, T, !(a < b || a > b));                   \
  COMPARE("neu", type, w, T, a != b);                              \
  COMPARE("ltu", type, w, T, !(a >= b));                           \
  COMPARE("leu", type, w, T, !(a > b));                            \
  COMPARE("gtu", type, w, T, !(a <= b));                           \
  COMPARE("geu", type, w, T, !(a < b));                            \
  COMPARE("num", type, w, T, a == a && b == b);                    \
  COMPARE("nan", type, w, T, a != a || b != b)

#define CONVERT(to, from, wd, wa, D, A) UNARY("cvt." to "." from, wd wa, D, A, a)
#define CONVERT_INTEGERS(to, wd, D)    \
  CONVERT(to, "u16", wd, "h", D, u16); \
  CONVERT(to, "s16", wd, "h", D, s16); \
  CONVERT(to, "u32", wd, "w", D, u32); \
  CONVERT(to, "s32", wd, "w", D, s32); \
  CONVERT(to, "u64", wd, "d", D, u64); \
  CONVERT(to, "s64", wd, "d", D, s64)
#define TO_INTEGER(rounding, type, w, T, whole)                                    \
  UNARY("cvt." rounding ".s32." type, "w" w, s32, T, (to_integer<s32, T>(whole))); \
  UNARY("cvt." rounding ".u32." type, "w" w, u32, T, (to_integer<u32, T>(whole))); \
  UNARY("cvt." rounding ".s64." type, "d" w, s64, T, (to_integer<s64, T>(whole))); \
  UNARY("cvt." rounding ".u64." type, "d" w, u64, T, (to_integer<u64, T>(whole)))
#define CONVERT_FLOAT(type, w, T)                                \
  CONVERT_INTEGERS("rn." type, w, T);                            \
  UNARY("cvt.rni." type "." type, w w, T, T, std::nearbyint(a)); \
  UNARY("cvt.rzi." type "." type, w w, T, T, std::trunc(a));     \
  UNARY("cvt.rmi." type "." type, w w, T, T, std::floor(a));     \
  UNARY("cvt.rpi." type "." type, w w, T, T, std::ceil(a));      \
  TO_INTEGER("rni", type, w, T, std::nearbyint(a));              \
  TO_INTEGER("rzi", type, w, T, std::trunc(a));                  \
  TO_INTEGER("rmi", type, w, T, std::floor(a));                  \
  TO_INTEGER("rpi", type, w, T, std::ceil(a))

void add_integers(Table& table) {
  INTEGER("16", "h", s16, u16);
  INTEGER("32", "w", s32, u32);
  INTEGER("64", "d", s64, u64);
  BINARY("mul.wide.s16", "whh", s32, s16, s16, s32{a} * b);
  BINARY("mul.wide.u16", "whh", u32, u16, u16, u32{a} * b);
  BINARY("mul.wide.s32", "dww", s64, s32, s32, s64{a} * b);
  BINARY("mul.wide.u32", "dww", u64, u32, u32, u64{a} * b);
  TERNARY("mad.wide.s32", "dwwd", u64, s32, s32, u64, static_cast<u64>(s64{a} * b) + c);
  TERNARY("mad.wide.u32", "dwwd", u64, u32, u32, u64, u64{a} * b + c);
  BINARY("mul.hi.s16", "hhh", u16, s16, s16, s32{a} * b >> 16);
  BINARY("mul.hi.u16", "hhh", u16, u16, u16, u32{a} * b >> 16);
  BINARY("mul.hi.s32", "www", u32, s32, s32, static_cast<u64>(s64{a} * b) >> 32);
  BINARY("mul.hi.u32", "www", u32, u32, u32, u64{a} * b >> 32);
  BINARY("mul.hi.u64", "ddd", u64, u64, u64, static_cast<unsigned __int128>(a) * b >> 64);
  BINARY("mul.hi.s64", "ddd", u64, s64, s64, static_cast<__int128>(a) * b >> 64);
  TERNARY("mad.hi.u32", "wwww", u32, u32, u32, u32, (u64{a} * b >> 32) + c);
  TERNARY("shf.l.wrap.b32", "wwww", u32, u32, u32, u32, funnel_left(a, b, c));
  TERNARY("shf.r.wrap.b32", "wwww", u32, u32, u32, u32, funnel_right(a, b, c));
  TERNARY("prmt.b32", "wwww", u32, u32, u32, u32, permute(a, b, c));
  TERNARY("bfe.u32", "wwww", u32, u32, u32, u32, extract_bits(a, b, c));
  table["bfi.b32"] = {&insert_bits, "wwwww"};
  UNARY("popc.b32", "ww", u32, u32, std::popcount(a));
  UNARY("popc.b64", "wd", u32, u64, std::popcount(a));
  UNARY("clz.b32", "ww", u32, u32, std::countl_zero(a));
  UNARY("clz.b64", "wd", u32, u64, std::countl_zero(a));
  UNARY("brev.b32", "ww", u32, u32, reverse_bits(a));
  UNARY("brev.b64", "dd", u64, u64, reverse_bits(a));
  UNARY("bfind.u32", "ww", u32, u32, a == 0 ? ~0u : 31u - static_cast<u32>(std::countl_zero(a)));
  UNARY("bfind.shiftamt.u32", "ww", u32, u32, a == 0 ? ~0u : static_cast<u32>(std::countl_zero(a)));
  UNARY("mov.pred", "pp", pred, pred, a);
  UNARY("not.pred", "pp", pred, pred, ~a);
  BINARY("and.pred", "ppp", pred, pred, pred, a & b);
  BINARY("or.pred", "ppp", pred, pred, pred, a | b);
  BINARY("xor.pred", "ppp", pred, pred, pred, a ^ b);
}

void add_conversions(Table& table) {
  CONVERT_INTEGERS("u16", "h", u16);
  CONVERT_INTEGERS("s16", "h", u16);
  CONVERT_INTEGERS("u32", "w", u32);
  CONVERT_INTEGERS("s32", "w", u32);
  CONVERT_INTEGERS("u64", "d", u64);
  CONVERT_INTEGERS("s64", "d", u64);
  CONVERT_FLOAT("f32", "w", f32);
  CONVERT_FLOAT("f64", "d", f64);
  UNARY("cvt.sat.f32.f32", "ww", f32, f32, saturate(a));
  UNARY("cvt.f64.f32", "dw", f64, f32, a);
  UNARY("cvt.rn.f32.f64", "wd", f32, f64, a);
  UNARY("cvt.rna.tf32.f32", "ww", u32, f32, to_tf32<'a'>(a));
  UNARY("cvt.rn.tf32.f32", "ww", u32, f32, to_tf32<'n'>(a));
  UNARY("cvt.rz.tf32.f32", "ww", u32, f32, to_tf32<'z'>(a));
  UNARY("cvt.rn.f16.f32", "hw", u16, f32, to_f16(a));
  UNARY("cvt.f32.f16", "wh", f32, u16, from_f16(a));
  UNARY("cvt.f32.bf16", "wh", f32, u16, std::bit_cast<f32>(u32{a} << 16));
  UNARY("cvt.rn.bf16.f32", "hw", u16, f32, to_bf16(a));
  BINARY("cvt.rn.bf16x2.f32", "www", u32, f32, f32, to_bf16(a) << 16 | to_bf16(b));
  // Addresses of device memory are the host's.
  UNARY("cvta.to.global.u64", "dd", u64, u64, a);
  UNARY("cvta.global.u64", "dd", u64, u64, a);
  UNARY("cvta.shared.u64", "dd", u64, u64, a | kSharedWindow);
  UNARY("cvta.local.u64", "dd", u64, u64, a | kLocalWindow);
  UNARY("cvta.to.shared.u64", "dd", u64, u64, a & ~kWindowMask);
  UNARY("cvta.to.local.u64", "dd", u64, u64, a & ~kWindowMask);
}

void add_floats(Table& table) {
  FLOATING("f32", "w", f32);
  FLOATING("f64", "d", f64);
  table["fma.rm.f32"] = {&fma_rounded<f32, FE_DOWNWARD>, "wwww"};
  table["fma.rp.f32"] = {&fma_rounded<f32, FE_UPWARD>, "wwww"};
  table["fma.rz.f32"] = {&fma_rounded<f32, FE_TOWARDZERO>, "wwww"};
  // Correctly rounded values are within the error bounds of the approximations.
  UNARY("ex2.approx.f32", "ww", f32, f32, std::exp2(static_cast<f64>(a)));
  UNARY("ex2.approx.ftz.f32", "ww", f32, f32, flush(static_cast<f32>(std::exp2(static_cast<f64>(flush(a))))));
  UNARY("rcp.approx.f32", "ww", f32, f32, 1.0f / a);
  UNARY("sqrt.approx.f32", "ww", f32, f32, std::sqrt(a));
  UNARY("rsqrt.approx.f32", "ww", f32, f32, 1.0 / std::sqrt(static_cast<f64>(a)));
  UNARY("sin.approx.f32", "ww", f32, f32, std::sin(static_cast<f64>(a)));
  UNARY("cos.approx.f32", "ww", f32, f32, std::cos(static_cast<f64>(a)));
  BINARY("div.full.f32", "www", f32, f32, f32, a / b);
  BINARY("div.approx.f32", "www", f32, f32, f32, divide_approximately(a, b));
  UNARY("lg2.approx.f32", "ww", f32, f32, std::log2(static_cast<f64>(a)));
  UNARY("rcp.approx.ftz.f32", "ww", f32, f32, flush(1.0f / flush(a)));
  UNARY("tanh.approx.f32", "ww", f32, f32, std::tanh(static_cast<f64>(a)));
}

}  // namespace

const std::map<std::string_view, Opcode>& opcodes() {
  static const Table the_table = [] {
    Table table;
    add_integers(table);
    add_conversions(table);
    add_floats(table);
    return table;
  }();
  return the_table;
}

Handler pack_handler(unsigned parts, Width width) {
  if (parts == 2 && width == Width::word) return &pack<u32, u16>;
  if (parts == 2 && width == Width::double_word) return &pack<u64, u32>;
  if (parts == 4 && width == Width::double_word) return &pack<u64, u16>;
  return nullptr;
}
Handler unpack_handler(unsigned parts, Width width) {
  if (parts == 2 && width == Width::word) return &unpack<u32, u16>;
  if (parts == 2 && width == Width::double_word) return &unpack<u64, u32>;
  if (parts == 4 && width == Width::double_word) return &unpack<u64, u16>;
  return nullptr;
}

}  // namespace minception::simt::ptx
