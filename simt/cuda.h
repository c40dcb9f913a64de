#pragma once
/// Included by every kernel file: the CUDA language from nvcc or from the executor, and macros that let both compile
/// the same source. The rules for kernels are in docs/adding-an-operation.md.

#if defined(__CUDACC__)

#include <cuda_runtime.h>

/// SHARED(float, tile, [32][33]);  declares shared memory of a block.
#define SHARED(T, name, ...) __shared__ T name __VA_ARGS__
/// DYNAMIC_SHARED(float, tile);  declares a pointer to the block's dynamic shared memory, aligned to 128 bytes.
/// Use once per kernel.
#define DYNAMIC_SHARED(T, name)                                        \
  extern __shared__ __align__(128) unsigned char minception_dynamic[]; \
  T* const name = reinterpret_cast<T*>(minception_dynamic)

#else

#include "simt/language.h"

#endif
