#pragma once
/// The subset of CUDA C++ that the kernels use, for the host compiler. Include simt/cuda.h instead.

#include "simt/executor.h"
#include "simt/math.h"
#include "simt/runtime.h"
#include "simt/types.h"
#include "simt/warp.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <typeinfo>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

#define threadIdx (::minception::simt::current->index)
#define blockIdx (::minception::simt::current->block->index)
#define blockDim (::minception::simt::current->block->dim)
#define gridDim (::minception::simt::current->block->grid)

#define SHARED(T, name, ...)                                                                        \
  using name##_shared_type = T __VA_ARGS__;                                                         \
  static char name##_shared_site;                                                                   \
  name##_shared_type& name = *static_cast<name##_shared_type*>(::minception::simt::shared_variable( \
      &name##_shared_site, #name, sizeof(name##_shared_type), alignof(name##_shared_type)))
#define DYNAMIC_SHARED(T, name) T* const name = static_cast<T*>(::minception::simt::dynamic_shared())

inline void __syncthreads(const std::source_location& where = std::source_location::current()) {
  minception::simt::barrier(where);
}
inline void __syncwarp(unsigned mask = ~0u, const std::source_location& where = std::source_location::current()) {
  minception::simt::warp_barrier(mask, where);
}
inline void __threadfence() { minception::simt::thread_fence(); }

// ---- shuffles of 32-bit values --------------------------------------------------------------------------------------

namespace minception::simt {
template <class T>
T shuffle_as(T value, Shuffle kind, unsigned operand, int width, unsigned mask, const Position& where) {
  static_assert(sizeof(T) == 4, "shuffles move 32 bits");
  return std::bit_cast<T>(
      shuffle(std::bit_cast<std::uint32_t>(value), kind, operand, static_cast<unsigned>(width), mask, where));
}
}  // namespace minception::simt

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32,
              const std::source_location& where = std::source_location::current()) {
  return minception::simt::shuffle_as(value, minception::simt::Shuffle::index, static_cast<unsigned>(lane), width, mask,
                                      where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 const std::source_location& where = std::source_location::current()) {
  return minception::simt::shuffle_as(value, minception::simt::Shuffle::up, delta, width, mask, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   const std::source_location& where = std::source_location::current()) {
  return minception::simt::shuffle_as(value, minception::simt::Shuffle::down, delta, width, mask, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  const std::source_location& where = std::source_location::current()) {
  return minception::simt::shuffle_as(value, minception::simt::Shuffle::exclusive_or, static_cast<unsigned>(lanes),
                                      width, mask, where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              const std::source_location& where = std::source_location::current()) {
  return minception::simt::ballot(predicate != 0, mask, where);
}
inline int __any_sync(unsigned mask, int predicate,
                      const std::source_location& where = std::source_location::current()) {
  return minception::simt::ballot(predicate != 0, mask, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      const std::source_location& where = std::source_location::current()) {
  return minception::simt::ballot(predicate == 0, mask, where) == 0;
}

// ---- atomics: integers only, because float sums depend on the order -------------------------------------------------

#define MINCEPTION_ATOMIC(name, operation)                                                                       \
  template <class T>                                                                                             \
  T name(T* address, std::type_identity_t<T> value,                                                              \
         const std::source_location& where = std::source_location::current()) {                                  \
    static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "atomics are for integers only"); \
    return static_cast<T>(minception::simt::atomic_update(address, sizeof(T), std::is_signed_v<T>,               \
                                                          minception::simt::Atomic::operation,                   \
                                                          static_cast<std::uint64_t>(value), 0, where));         \
  }
MINCEPTION_ATOMIC(atomicAdd, add)
MINCEPTION_ATOMIC(atomicMax, maximum)
MINCEPTION_ATOMIC(atomicMin, minimum)
MINCEPTION_ATOMIC(atomicExch, exchange)
MINCEPTION_ATOMIC(atomicOr, bit_or)
MINCEPTION_ATOMIC(atomicAnd, bit_and)
#undef MINCEPTION_ATOMIC

/// old >= limit ? 0 : old + 1
inline unsigned atomicInc(unsigned* address, unsigned limit,
                          const std::source_location& where = std::source_location::current()) {
  return static_cast<unsigned>(minception::simt::atomic_update(address, sizeof(unsigned), false,
                                                               minception::simt::Atomic::increment, limit, 0, where));
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> compare, std::type_identity_t<T> value,
            const std::source_location& where = std::source_location::current()) {
  static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "atomics are for integers only");
  return static_cast<T>(minception::simt::atomic_update(
      address, sizeof(T), std::is_signed_v<T>, minception::simt::Atomic::compare_exchange,
      static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(compare), where));
}

// ---- launching ------------------------------------------------------------------------------------------------------

namespace minception::simt {

/// Runs the kernel: immediately, or at graph launch if the stream is capturing.
template <auto kernel, class... Parameters>
void launch_emulated(std::string_view name, dim3 grid, dim3 block, DynamicShared shared, cudaStream_t stream,
                     Parameters... arguments) {
  submit(stream, [=] {
    const auto body = [=] { kernel(arguments...); };
    using Body = decltype(body);
    const std::array<KernelArgument, sizeof...(Parameters)> list{
        KernelArgument{&arguments, sizeof(Parameters), alignof(Parameters)}...};
    KernelCall call;
    call.name = name;
    call.body = [](const void* the_body) { (*static_cast<const Body*>(the_body))(); };
    call.body_argument = &body;
    call.body_argument_bytes = sizeof(body);
    call.tag = typeid(KernelTag<kernel>).name();
    call.arguments = list;
    execute(call, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared);
  });
}

}  // namespace minception::simt
