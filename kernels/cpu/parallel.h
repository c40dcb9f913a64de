#pragma once
/// Work split over threads. Every split is a function of (count, threads) alone, so the same thread count
/// gives the same bits.

#include <minception/kernels/cpu/signals.h>

#include <algorithm>
#include <cstdint>
#include <exception>

namespace minception::cpu {

/// Below this many elements a second thread costs more than it saves.
inline constexpr std::int64_t kSerialElements = 8192;

/// f(begin, end, thread) once per thread, over contiguous parts of [0, count). With `elements`, a measure of
/// the whole work, below kSerialElements: f(0, count, 0). What f throws is thrown again here.
template <class F>
void parallel(int threads, std::int64_t count, std::int64_t elements, F&& f) {
  const auto parts = static_cast<int>(std::min<std::int64_t>(threads, count));
  if (parts <= 1 || elements < kSerialElements) {
    if (count > 0) f(std::int64_t{0}, count, 0);
    return;
  }
  std::exception_ptr failure;
#pragma omp parallel for num_threads(parts) schedule(static, 1)
  for (int part = 0; part < parts; ++part) {
    block_signals_in_worker();
    try {
      f(count * part / parts, count * (part + 1) / parts, part);
    } catch (...) {
#pragma omp critical(minception_parallel_failure)
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace minception::cpu
