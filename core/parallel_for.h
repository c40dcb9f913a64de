#pragma once
/// Runs independent work items on several host threads.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace minception {

/// Calls `work` once for each index in [0, count), on up to `threads` threads (0: the hardware concurrency). If calls
/// throw, rethrows the exception of the lowest failing index, independent of scheduling. Calls for higher indices may
/// then be skipped.
template <class Work>
void parallel_for(std::size_t count, int threads, const Work& work) {
  if (threads <= 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex mutex;
  std::size_t failed_index = count;
  std::exception_ptr error;
  const auto run = [&] {
    // Indices are assigned in order: all indices below a failing one are already assigned and run to completion.
    while (!failed) {
      const std::size_t index = next++;
      if (index >= count) return;
      try {
        work(index);
      } catch (...) {
        failed = true;
        const std::lock_guard lock(mutex);
        if (index < failed_index) {
          failed_index = index;
          error = std::current_exception();
        }
      }
    }
  };
  std::vector<std::thread> helpers;
  helpers.reserve(static_cast<std::size_t>(threads));
  try {
    for (int i = 1; i < threads && static_cast<std::size_t>(i) < count; ++i) helpers.emplace_back(run);
  } catch (const std::system_error&) {  // no more threads available: run with those started
  }
  run();
  for (std::thread& helper : helpers) helper.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace minception
