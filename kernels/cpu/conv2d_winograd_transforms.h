#pragma once
/// Transforms of conv2d_winograd.cpp: those of F(4x4, 3x3) and their transposes, for 16 adjacent channels at a time.

#include "core/dtype.h"
#include "kernels/cpu/conv2d_winograd.h"

#include <cstdint>
#include <cstring>

namespace minception::cpu::winograd {

/// Adjacent channels. A vector type of GCC and Clang for any instruction set; loops over float arrays are not
/// vectorised across transforms as long as these.
using Lanes = float __attribute__((vector_size(kWinogradLanes * sizeof(float))));

inline void load(const float* from, Lanes& to) { std::memcpy(&to, from, sizeof to); }
inline void load(const bf16* from, Lanes& to) {
  using Words = std::uint32_t __attribute__((vector_size(sizeof(Lanes))));
  std::uint16_t __attribute__((vector_size(sizeof(Lanes) / 2))) bits;
  std::memcpy(&bits, from, sizeof bits);
  const Words words = __builtin_convertvector(bits, Words) << 16;
  std::memcpy(&to, &words, sizeof to);
}
inline void store(const Lanes& from, float* to) { std::memcpy(to, &from, sizeof from); }

// Transforms along one axis, with the points 0, a, -a, b, -b and infinity. The points 1 and 2 would save
// multiplications, but with them the loss error of a step of googlenet_bn was 1.05e-5; its test allows 1e-5.
constexpr float a = 0.625f, b = 1.5f;
constexpr float aa = a * a, bb = b * b;
constexpr float at_zero = 1.0f / (aa * bb), at_a = 1.0f / (2.0f * aa * (aa - bb)),
                at_b = 1.0f / (2.0f * bb * (bb - aa));

struct PixelTransform {  // B^T
  static void apply(const Lanes (&d)[6], Lanes (&v)[6]) {
    const Lanes even = d[4] - bb * d[2], odd = a * (d[3] - bb * d[1]);
    const Lanes even2 = d[4] - aa * d[2], odd2 = b * (d[3] - aa * d[1]);
    v[0] = aa * bb * d[0] - (aa + bb) * d[2] + d[4];
    v[1] = even + odd;
    v[2] = even - odd;
    v[3] = even2 + odd2;
    v[4] = even2 - odd2;
    v[5] = aa * bb * d[1] - (aa + bb) * d[3] + d[5];
  }
};
struct FilterTransform {  // G
  static void apply(const Lanes (&g)[3], Lanes (&u)[6]) {
    const Lanes even = at_a * (g[0] + aa * g[2]), odd = at_a * a * g[1];
    const Lanes even2 = at_b * (g[0] + bb * g[2]), odd2 = at_b * b * g[1];
    u[0] = at_zero * g[0];
    u[1] = even + odd;
    u[2] = even - odd;
    u[3] = even2 + odd2;
    u[4] = even2 - odd2;
    u[5] = g[2];
  }
};
struct OutputTransform {  // A^T
  static void apply(const Lanes (&m)[6], Lanes (&y)[4]) {
    const Lanes even = m[1] + m[2], odd = a * (m[1] - m[2]);
    const Lanes even2 = m[3] + m[4], odd2 = b * (m[3] - m[4]);
    y[0] = m[0] + even + even2;
    y[1] = odd + odd2;
    y[2] = aa * even + bb * even2;
    y[3] = aa * odd + bb * odd2 + m[5];
  }
};
struct OutputGradientTransform {  // A
  static void apply(const Lanes (&y)[4], Lanes (&m)[6]) {
    const Lanes even = y[0] + aa * y[2], odd = a * (y[1] + aa * y[3]);
    const Lanes even2 = y[0] + bb * y[2], odd2 = b * (y[1] + bb * y[3]);
    m[0] = y[0];
    m[1] = even + odd;
    m[2] = even - odd;
    m[3] = even2 + odd2;
    m[4] = even2 - odd2;
    m[5] = y[3];
  }
};
struct FilterGradientTransform {  // G^T
  static void apply(const Lanes (&u)[6], Lanes (&g)[3]) {
    const Lanes even = at_a * (u[1] + u[2]), odd = at_a * a * (u[1] - u[2]);
    const Lanes even2 = at_b * (u[3] + u[4]), odd2 = at_b * b * (u[3] - u[4]);
    g[0] = at_zero * u[0] + even + even2;
    g[1] = odd + odd2;
    g[2] = aa * even + bb * even2 + u[5];
  }
};

/// Applies the transform along both axes.
template <class Transform, int kFrom, int kTo>
inline void transform(const Lanes (&from)[kFrom][kFrom], Lanes (&to)[kTo][kTo]) {
  Lanes half[kFrom][kTo];
  for (int i = 0; i < kFrom; ++i) Transform::apply(from[i], half[i]);
  for (int j = 0; j < kTo; ++j) {
    Lanes column[kFrom], transformed[kTo];
    for (int i = 0; i < kFrom; ++i) column[i] = half[i][j];
    Transform::apply(column, transformed);
    for (int i = 0; i < kTo; ++i) to[i][j] = transformed[i];
  }
}

}  // namespace minception::cpu::winograd
