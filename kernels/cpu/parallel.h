#pragma once
/// Splits work over threads. The split depends only on count, elements and threads, so the same thread count gives the
/// same bits.

#include "kernels/cpu/signals.h"

#include <algorithm>
#include <cstdint>
#include <exception>

namespace minception::cpu {

/// Below this number of elements a second thread costs more than it saves.
inline constexpr std::int64_t kSerialElements = 8192;

/// Calls f(begin, end, thread) once per thread, for contiguous parts of [0, count). If `elements`, a measure of the
/// total work, is below kSerialElements: f(0, count, 0). Rethrows an exception of f.
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
