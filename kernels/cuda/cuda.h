#pragma once
/// What every kernel file includes: the CUDA language, either nvcc's or the emulated one of kernels/simt/, and the few
/// spellings that let one source be compiled by both. The rules for kernels are in docs/adding-an-operation.md.

#if defined(__CUDACC__)

#include <cuda_runtime.h>

/// SHARED(float, tile, [32][33]);  declares shared memory of one block.
#define SHARED(T, name, ...) __shared__ T name __VA_ARGS__
/// DYNAMIC_SHARED(float, tile);  declares a pointer to the block's dynamic shared memory, aligned to 128 bytes. Once per
/// kernel.
#define DYNAMIC_SHARED(T, name)                                        \
  extern __shared__ __align__(128) unsigned char minception_dynamic[]; \
  T* const name = reinterpret_cast<T*>(minception_dynamic)

#else

#include <minception/kernels/simt/cuda.h>

#endif
