#pragma once
/// dim3 and the vector types, with the layout and alignment of CUDA.

#include "simt/executor.h"

struct dim3 : minception::simt::Extent3 {
  using minception::simt::Extent3::Extent3;
};
using uint3 = minception::simt::Index3;

#define MINCEPTION_VECTOR_TYPES(element, name, align2, align4)           \
  struct alignas(align2) name##2 {                                       \
    element x, y;                                                        \
  };                                                                     \
  struct alignas(align4) name##4 {                                       \
    element x, y, z, w;                                                  \
  };                                                                     \
  inline name##2 make_##name##2(element x, element y) { return {x, y}; } \
  inline name##4 make_##name##4(element x, element y, element z, element w) { return {x, y, z, w}; }
using uint = unsigned int;
MINCEPTION_VECTOR_TYPES(float, float, 8, 16)
MINCEPTION_VECTOR_TYPES(int, int, 8, 16)
MINCEPTION_VECTOR_TYPES(uint, uint, 8, 16)
#undef MINCEPTION_VECTOR_TYPES
