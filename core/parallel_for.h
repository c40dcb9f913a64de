#pragma once
/// Independent pieces of work on several threads of the host.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace minception {

/// Calls `work` once for each index in [0, count), from up to `threads` threads; 0: as many as the machine runs at once. If
/// some calls throw, what the lowest of their indices threw is thrown here, however the threads ran; the calls for higher
/// indices may be left out then.
template <class Work>
void parallel_for(std::size_t count, int threads, const Work& work) {
  if (threads <= 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex mutex;
  std::size_t failed_index = count;
  std::exception_ptr error;
  const auto run = [&] {
    // Indices are handed out in order: all below one that fails have been handed out before and are finished.
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
  } catch (const std::system_error&) {  // the system gives no more: those that are there do the work
  }
  run();
  for (std::thread& helper : helpers) helper.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace minception
