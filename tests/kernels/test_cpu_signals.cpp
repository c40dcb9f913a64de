/// Signals during matrix products: oneDNN moves the stack pointer into the heap (kernels/cpu/signals.h).

#include "kernels/cpu/onednn.h"
#include "tests/catch.h"

#include <omp.h>
#include <pthread.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <vector>

namespace minception {
namespace {

constexpr int kThreads = 2;

struct Stack {
  std::uintptr_t begin = 0, end = 0;
};

std::array<Stack, kThreads> stacks;
std::atomic<int> handled = 0, outside = 0;

Stack stack_of_this_thread() {
  pthread_attr_t attributes;
  void* begin = nullptr;
  std::size_t bytes = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &begin, &bytes);
  pthread_attr_destroy(&attributes);
  return {reinterpret_cast<std::uintptr_t>(begin), reinterpret_cast<std::uintptr_t>(begin) + bytes};
}

void record(int) {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  ++handled;
  for (const Stack& stack : stacks) {
    if (here >= stack.begin && here < stack.end) return;
  }
  ++outside;
}

/// Raises SIGALRM every 200 microseconds.
class Alarms {
 public:
  Alarms() {
    struct sigaction action = {};
    action.sa_handler = record;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, &before_);
    set(200);
  }
  ~Alarms() {
    set(0);
    sigaction(SIGALRM, &before_, nullptr);
  }
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

 private:
  static void set(int microseconds) {
    const itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, nullptr);
  }
  struct sigaction before_ = {};
};

}  // namespace

TEST_CASE("cpu: signal handlers run on the stacks of threads during matrix products") {
  constexpr std::int64_t kM = 64, kN = 64, kK = 832;
  const cpu::OneDnn onednn(kThreads);
  const std::vector<float> a(kM * kK, 1.0f), b(kK * kN, 1.0f);
  std::vector<float> c(kM * kN);
#pragma omp parallel num_threads(kThreads)
  stacks.at(static_cast<std::size_t>(omp_get_thread_num())) = stack_of_this_thread();

  const Alarms alarms;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (handled <= 100 && std::chrono::steady_clock::now() < end) {
    for (const bool transpose_a : {false, true}) {
      for (const bool transpose_b : {false, true}) {
        onednn.gemm(transpose_a, transpose_b, kM, kN, kK, a.data(), transpose_a ? kM : kK, b.data(),
                    transpose_b ? kK : kN, 0.0f, c.data(), kN);
      }
    }
  }
  CHECK(handled > 100);
  CHECK(outside == 0);
  CHECK(c == std::vector<float>(kM * kN, static_cast<float>(kK)));
}

}  // namespace minception
