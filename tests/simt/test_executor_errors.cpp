/// Errors that the executor reports: limits, divergence, early exit, endless loops, exceptions. After an error it must
/// still run kernels.

#include "tests/simt/emulation.h"

#include "tests/catch.h"

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace minception::cuda {
namespace {

using Catch::Contains;

__global__ void count_threads(unsigned* count) { atomicAdd(count, 1u); }

/// A kernel with barriers, to check that the executor still works.
__global__ void sum_of_numbers(int* out) {
  SHARED(int, numbers, [128]);
  numbers[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  int sum = __shfl_sync(0xffffffffu, 0, 0);
  for (const int number : numbers) sum += number;
  __syncthreads();
  out[threadIdx.x] = sum;
}

bool works() {
  DeviceArray<int> out(128);
  launch<sum_of_numbers>(40, 128, 0, nullptr, out.data());
  return std::count(out.begin(), out.end(), 127 * 128 / 2) == 128;
}

/// All positions of a message, as (line, column).
std::vector<std::pair<int, int>> positions(const std::string& message) {
  std::vector<std::pair<int, int>> result;
  const std::string extension = ".cpp:";
  for (std::size_t at = message.find(extension); at != std::string::npos; at = message.find(extension, at + 1)) {
    std::size_t digits = 0;
    const std::string rest = message.substr(at + extension.size());
    const int line = std::stoi(rest, &digits);
    result.emplace_back(line, std::stoi(rest.substr(digits + 1)));
  }
  return result;
}

}  // namespace

// ---- limits of a launch ---------------------------------------------------------------------------------------------

TEST_CASE("a launch beyond the limits of a GPU is an error that names the kernel") {
  DeviceArray<unsigned> count(1);
  const auto error = [&](dim3 grid, dim3 block, std::size_t shared_bytes = 0) {
    return error_of([&] { launch<count_threads>(grid, block, shared_bytes, nullptr, count.data()); });
  };
  CHECK_THAT(error(1, 1025), Contains("the kernel count_threads") && Contains("1025 x 1 x 1") && Contains("1024"));
  CHECK_THAT(error(1, {32, 33}), Contains("32 x 33 x 1"));
  CHECK_THAT(error(1, {1, 1, 65}), Contains("1 x 1 x 65"));
  CHECK_THAT(error(1, 0), Contains("0 x 1 x 1"));
  CHECK_THAT(error({1, 65536}, 1), Contains("count_threads") && Contains("1 x 65536 x 1"));
  CHECK_THAT(error({1, 1, 65536}, 1), Contains("1 x 1 x 65536"));
  CHECK_THAT(error(0x80000000u, 1), Contains("2147483648 x 1 x 1"));
  CHECK_THAT(error(1, 1, 99 * 1024 + 1), Contains("count_threads"));
  CHECK(count[0] == 0);
  CHECK(error(1, {1, 1, 64}) == "");
  CHECK(error({1, 65535}, 1) == "");
  CHECK(error({1, 1, 65535}, 1) == "");
  CHECK(count[0] == 64 + 2 * 65535);
  CHECK(works());
}

// ---- barriers that not all threads reach ----------------------------------------------------------------------------

namespace {

constexpr int kTwoBarriers = __LINE__ + 1;
__global__ void two_barriers_in_a_line() { threadIdx.x % 2 == 0 ? __syncthreads() : __syncthreads(); }

constexpr int kFirstBarrier = __LINE__ + 3;
__global__ void two_barriers() {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
constexpr int kSecondBarrier = kFirstBarrier + 2;

constexpr int kLonelyBarrier = __LINE__ + 3;
__global__ void leaves_early(unsigned leaver) {
  if (threadIdx.x == leaver) return;
  __syncthreads();
}

constexpr int kCommonBarrier = __LINE__ + 2;
__global__ void leaves_later() {
  __syncthreads();
  if (threadIdx.x == 3) return;
  __syncthreads();
}

}  // namespace

TEST_CASE("divergent barriers are reported with the lines and columns of both") {
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    const WithSettings with([&](simt::Settings& settings) { settings.order = order; });
    const std::string one_line = error_of([] { launch<two_barriers_in_a_line>(1, 64, 0, nullptr); });
    CHECK_THAT(one_line, Contains("the kernel two_barriers_in_a_line, block (0,0,0), thread (") &&
                             Contains("divergent barriers: thread ("));
    const auto places = positions(one_line);
    REQUIRE(places.size() == 2);
    CHECK(places[0].first == kTwoBarriers);
    CHECK(places[1].first == kTwoBarriers);
    CHECK(places[0].second != places[1].second);

    const std::string two_lines = error_of([] { launch<two_barriers>(1, 64, 0, nullptr); });
    CHECK_THAT(two_lines, Contains(at_line(kFirstBarrier)) && Contains(at_line(kSecondBarrier)));
    CHECK(works());
  }
}

TEST_CASE("a thread that exits before a barrier is reported") {
  const std::string early = error_of([] { launch<leaves_early>(1, 64, 0, nullptr, 9); });
  CHECK_THAT(early, Contains("the kernel leaves_early") && Contains("early exit") && Contains("thread (9,0,0)") &&
                        Contains("has left the kernel before any barrier") && Contains(at_line(kLonelyBarrier)) &&
                        Contains("63 of 64 threads arrived"));
  CHECK(positions(early).size() == 1);

  const std::string later = error_of([] { launch<leaves_later>(1, 64, 0, nullptr); });
  CHECK_THAT(later, Contains("early exit") && Contains("thread (3,0,0) has left the kernel; it passed") &&
                        Contains(at_line(kCommonBarrier)) && Contains(at_line(kCommonBarrier + 2)));
  CHECK(works());
}

namespace {

__global__ void diverges_in_one_block(int* done) {
  if (blockIdx.x == 3 && blockIdx.y == 1 && threadIdx.y == 2 && threadIdx.x == 5) return;
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) atomicAdd(done, 1);
}

}  // namespace

TEST_CASE("an error names the block") {
  DeviceArray<int> done(1);
  CHECK_THAT(error_of([&] {
               launch<diverges_in_one_block>({5, 2}, {32, 4}, 0, nullptr, done.data());
             }),
             Contains("diverges_in_one_block, block (3,1,0)") && Contains("thread (5,2,0) has left"));
  CHECK(done[0] < 10);
}

// ---- endless loops --------------------------------------------------------------------------------------------------

namespace {

__device__ bool waiting_for(const volatile int* flag) { return *flag == 0; }

__global__ void endless(const int* flag, unsigned block) {
  if (blockIdx.x == block) {
    while (waiting_for(flag)) {
    }
  }
}

/// Runs for `seconds` and passes barriers every `seconds_between_barriers`.
__global__ void takes_long(double seconds, double seconds_between_barriers) {
  SHARED(int, go_on);
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  const auto wait_until = [&](double second) {
    while (std::chrono::duration<double>(Clock::now() - begin).count() < second) {
    }
  };
  for (int i = 1;; ++i) {
    if (threadIdx.x == 0) {
      wait_until(i * seconds_between_barriers);
      go_on = i * seconds_between_barriers < seconds;
    }
    __syncthreads();
    const bool more = go_on != 0;
    __syncthreads();
    if (!more) return;
  }
}

}  // namespace

TEST_CASE("the watchdog ends a kernel that makes no progress") {
  const WithSettings with([](simt::Settings& settings) { settings.watchdog_seconds = 0.3; });
  DeviceArray<int> flag(1);
  for (const unsigned block : {0u, 150u}) {
    const std::string message = error_of([&] { launch<endless>(200, 128, 0, nullptr, flag.data(), block); });
    CHECK_THAT(message,
               Contains(concat("the kernel endless, block (", block, ",0,0)")) && Contains("no progress for 0.3 s"));
    CHECK(works());
  }
}

TEST_CASE("the watchdog does not end a kernel that makes progress") {
  const WithSettings with([](simt::Settings& settings) {
    settings.watchdog_seconds = 0.5;
    settings.os_threads = 1;
  });
  CHECK(error_of([] { launch<takes_long>(1, 2, 0, nullptr, 0.9, 0.05); }) == "");
}

TEST_CASE("the watchdog does not end the first block of an OS thread") {
  const WithSettings with([](simt::Settings& settings) { settings.os_threads = 3; });
  CHECK(error_of([] { launch<takes_long>(6, 1024, 0, nullptr, 0.0, 0.25); }) == "");
}

TEST_CASE("the watchdog ends a kernel in which a thread waits for another") {
  // The thread that would set the flag never runs. On a GPU this may or may not work.
  const WithSettings with([](simt::Settings& settings) {
    settings.watchdog_seconds = 0.3;
    settings.order = simt::Order::forward;
  });
  DeviceArray<int> flag(1);
  CHECK_THAT(error_of([&] { launch<endless>(1, 32, 0, nullptr, flag.data(), 0); }),
             Contains("thread (0,0,0)") && Contains("does a thread wait for another one?"));
}

// ---- exceptions -----------------------------------------------------------------------------------------------------

namespace {

__global__ void launches_another(unsigned* count) {
  __syncthreads();
  launch<count_threads>(1, 32, 0, nullptr, count);
}
__global__ void throws_something(int what) {
  __syncthreads();
  if (threadIdx.x != 40) return;
  if (what == 0) throw std::runtime_error("a kernel's own words");
  throw 3;
}

}  // namespace

TEST_CASE("a kernel cannot launch another kernel") {
  DeviceArray<unsigned> count(1);
  CHECK_THAT(
      error_of([&] { launch<launches_another>(1, 64, 0, nullptr, count.data()); }),
      Contains("the kernel launches_another") && Contains("the kernel count_threads cannot be launched from a kernel"));
  CHECK(count[0] == 0);
  CHECK(works());
}

TEST_CASE("an exception in a kernel ends the kernel") {
  CHECK_THAT(
      error_of([] { launch<throws_something>(2, 64, 0, nullptr, 0); }),
      Contains("the kernel throws_something") && Contains("thread (40,0,0)") && Contains("a kernel's own words"));
  CHECK_THAT(error_of([] { launch<throws_something>(2, 64, 0, nullptr, 1); }), Contains("thread (40,0,0)"));
  CHECK(works());
}

TEST_CASE("the executor works after repeated errors in many blocks") {
  int reported = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string message = error_of([&] { launch<leaves_early>(100, 96, 0, nullptr, i % 96); });
    reported += message.find(concat('(', i % 96, ",0,0) has left")) != std::string::npos ? 1 : 0;
  }
  CHECK(reported == 200);
  CHECK(works());
}

}  // namespace minception::cuda
