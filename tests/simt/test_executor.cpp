/// Execution of kernels: indices, barriers, order, shared memory, OS threads, counters.

#include "tests/simt/emulation.h"

#include "tests/catch.h"

#include <pthread.h>

#include <cstdint>
#include <cstring>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

namespace minception::cuda {
namespace {

__device__ unsigned thread_number() { return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x; }
__device__ unsigned block_number() { return (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x; }

// ---- indices --------------------------------------------------------------------------------------------------------

struct Place {
  unsigned thread[3], block[3], block_dim[3], grid_dim[3];
  int visits;
};

__global__ void record_place(Place* places) {
  Place& place = places[block_number() * blockDim.x * blockDim.y * blockDim.z + thread_number()];
  place = {{threadIdx.x, threadIdx.y, threadIdx.z},
           {blockIdx.x, blockIdx.y, blockIdx.z},
           {blockDim.x, blockDim.y, blockDim.z},
           {gridDim.x, gridDim.y, gridDim.z},
           place.visits + 1};
}

bool equal(const unsigned (&a)[3], unsigned x, unsigned y, unsigned z) { return a[0] == x && a[1] == y && a[2] == z; }

/// Number of threads of the grid that did not record their own indices exactly once.
int wrong_places(dim3 grid, dim3 block) {
  DeviceArray<Place> places(grid.count() * block.count());
  launch<record_place>(grid, block, 0, nullptr, places.data());
  int wrong = 0;
  std::size_t next = 0;
  for (unsigned bz = 0; bz < grid.z; ++bz) {
    for (unsigned by = 0; by < grid.y; ++by) {
      for (unsigned bx = 0; bx < grid.x; ++bx) {
        for (unsigned tz = 0; tz < block.z; ++tz) {
          for (unsigned ty = 0; ty < block.y; ++ty) {
            for (unsigned tx = 0; tx < block.x; ++tx) {
              const Place& place = places[next++];
              const bool right = place.visits == 1 && equal(place.thread, tx, ty, tz) &&
                                 equal(place.block, bx, by, bz) && equal(place.block_dim, block.x, block.y, block.z) &&
                                 equal(place.grid_dim, grid.x, grid.y, grid.z);
              wrong += right ? 0 : 1;
            }
          }
        }
      }
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("thread and block indices in one and two and three dimensions") {
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    const WithSettings with([&](simt::Settings& settings) { settings.order = order; });
    CHECK(wrong_places(1, 1) == 0);
    CHECK(wrong_places(5, 31) == 0);
    CHECK(wrong_places(3, 33) == 0);
    CHECK(wrong_places({3, 2}, {8, 4}) == 0);
    CHECK(wrong_places({2, 3, 4}, {7, 5, 3}) == 0);
    CHECK(wrong_places({4, 1, 2}, {1, 1, 64}) == 0);
    CHECK(wrong_places(9, 1024) == 0);
    CHECK(wrong_places({4, 4}, {4, 8, 32}) == 0);
    // The same number of threads in another shape: no state of the last launch may remain.
    CHECK(wrong_places({4, 4}, {32, 4, 8}) == 0);
  }
}

TEST_CASE("empty grids are skipped") {
  DeviceArray<Place> places(1);
  simt::reset_counters();
  launch<record_place>(0, 32, 0, nullptr, places.data());
  launch<record_place>({1, 0, 1}, 32, 0, nullptr, places.data());
  launch<record_place>({1, 1, 0}, 32, 0, nullptr, places.data());
  CHECK(simt::counters().empty());
  CHECK(places[0].visits == 0);
}

// ---- barriers -------------------------------------------------------------------------------------------------------

namespace {

/// Passes every value to the next thread, `rounds` times.
__global__ void rotate(int* values, int rounds) {
  SHARED(int, ring, [1024]);
  const int n = static_cast<int>(blockDim.x);
  const int i = static_cast<int>(threadIdx.x);
  ring[i] = values[static_cast<int>(blockIdx.x) * n + i];
  for (int round = 0; round < rounds; ++round) {
    __syncthreads();
    const int before = ring[(i + n - 1) % n];
    __syncthreads();
    ring[i] = before;
  }
  values[static_cast<int>(blockIdx.x) * n + i] = ring[i];
}

}  // namespace

TEST_CASE("a barrier waits for all threads of the block") {
  constexpr int kRounds = 150;
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    const WithSettings with([&](simt::Settings& settings) { settings.order = order; });
    for (const int threads : {1, 2, 31, 32, 33, 100, 256, 1024}) {
      constexpr int kBlocks = 3;
      DeviceArray<int> values(static_cast<std::size_t>(kBlocks * threads));
      std::iota(values.begin(), values.end(), 0);
      simt::reset_counters();
      launch<rotate>(kBlocks, threads, 0, nullptr, values.data(), kRounds);
      int wrong = 0;
      for (int i = 0; i < kBlocks * threads; ++i) {
        const int place = i % threads;
        const int from = ((place - kRounds) % threads + threads) % threads;
        wrong += values[static_cast<std::size_t>(i)] == i - place + from ? 0 : 1;
      }
      INFO(threads << " threads");
      CHECK(wrong == 0);
      CHECK(simt::counters().at(0).barriers == 2 * kRounds * kBlocks);
    }
  }
}

// ---- order ----------------------------------------------------------------------------------------------------------

namespace {

/// Every thread appends its number before and after a barrier. Needs no atomics: threads run one at a time.
__global__ void sign(unsigned* list, unsigned* count) {
  const unsigned me = block_number() * blockDim.x + thread_number();
  list[(*count)++] = me;
  __syncthreads();
  list[(*count)++] = me;
}

std::vector<unsigned> signatures(simt::Order order, std::uint64_t seed, unsigned blocks, unsigned threads) {
  const WithSettings with([&](simt::Settings& settings) {
    settings.order = order;
    settings.seed = seed;
    settings.os_threads = 1;
  });
  DeviceArray<unsigned> list(std::size_t{2} * blocks * threads);
  DeviceArray<unsigned> count(1);
  launch<sign>(blocks, threads, 0, nullptr, list.data(), count.data());
  return {list.begin(), list.end()};
}

std::vector<unsigned> sorted(std::vector<unsigned> values) {
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace

TEST_CASE("forward and reverse order follow the thread and block numbers") {
  std::vector<unsigned> forward, reverse;
  for (unsigned block = 0; block < 3; ++block) {
    for (int half = 0; half < 2; ++half) {
      for (unsigned thread = 0; thread < 70; ++thread) {
        forward.push_back(block * 70 + thread);
        reverse.push_back((2 - block) * 70 + 69 - thread);
      }
    }
  }
  CHECK(signatures(simt::Order::forward, 0, 3, 70) == forward);
  CHECK(signatures(simt::Order::reverse, 0, 3, 70) == reverse);
}

TEST_CASE("random order depends on the seed and the launch number") {
  const std::vector<unsigned> forward = signatures(simt::Order::forward, 0, 4, 70);
  simt::reset_counters();
  const std::vector<unsigned> first = signatures(simt::Order::random, 7, 4, 70);
  const std::vector<unsigned> second = signatures(simt::Order::random, 7, 4, 70);
  simt::reset_counters();
  CHECK(signatures(simt::Order::random, 7, 4, 70) == first);
  CHECK(signatures(simt::Order::random, 7, 4, 70) == second);
  simt::reset_counters();
  const std::vector<unsigned> other = signatures(simt::Order::random, 8, 4, 70);

  CHECK(first != forward);
  CHECK(first != second);
  CHECK(first != other);
  CHECK(sorted(first) == sorted(forward));
  CHECK(sorted(other) == sorted(forward));

  // Blocks, threads before the barrier and threads after it have different orders.
  std::vector<unsigned> blocks;
  for (std::size_t i = 0; i < first.size(); i += 140) blocks.push_back(first[i] / 70);
  CHECK(sorted(blocks) == std::vector<unsigned>{0, 1, 2, 3});
  const auto halves_of = [&](std::size_t block) {
    const auto begin = first.begin() + static_cast<std::ptrdiff_t>(block * 140);
    return std::pair(std::vector<unsigned>(begin, begin + 70), std::vector<unsigned>(begin + 70, begin + 140));
  };
  const auto [before, after] = halves_of(0);
  CHECK(before != after);
  CHECK(sorted(before) == sorted(after));
}

// ---- shared memory --------------------------------------------------------------------------------------------------

namespace {

struct alignas(64) Line {
  char bytes[80];
};

struct SharedPlaces {
  const void* words;
  const void* one;
  const void* lines;
  const void* again;
  const void* dynamic;
};

__device__ void* shared_by_function() {
  SHARED(double, inside, [3]);
  return &inside;
}

__global__ void shared_places(SharedPlaces* out) {
  SHARED(float, words, [100]);
  SHARED(char, one);
  SHARED(Line, lines, [2]);
  DYNAMIC_SHARED(int, dynamic);
  static_assert(sizeof(words) == 400);
  out[threadIdx.x] = {words, &one, lines, shared_by_function() == shared_by_function() ? shared_by_function() : nullptr,
                      dynamic};
}

}  // namespace

TEST_CASE("shared variables are common to all threads and separate and aligned") {
  DeviceArray<SharedPlaces> out(96);
  launch<shared_places>(1, 96, 1000, nullptr, out.data());
  for (const SharedPlaces& places : out) CHECK(std::memcmp(&places, &out[0], sizeof(places)) == 0);
  struct Range {
    std::uintptr_t begin, end;
    std::size_t alignment;
  };
  const auto range = [](const void* data, std::size_t bytes, std::size_t alignment) {
    return Range{reinterpret_cast<std::uintptr_t>(data), reinterpret_cast<std::uintptr_t>(data) + bytes, alignment};
  };
  const Range ranges[] = {range(out[0].words, 400, 4), range(out[0].one, 1, 1),
                          range(out[0].lines, 2 * sizeof(Line), 64), range(out[0].again, 24, 8),
                          range(out[0].dynamic, 1000, 128)};
  for (const Range& a : ranges) {
    CHECK(a.begin % a.alignment == 0);
    // No more than declared, so that wider accesses are misaligned.
    if (a.alignment < 128) CHECK(a.begin % (2 * a.alignment) != 0);
    for (const Range& b : ranges) CHECK((&a == &b || a.end <= b.begin || b.end <= a.begin));
  }
}

namespace {

/// Counts bytes that are not 0xff, then overwrites them.
__global__ void shared_poison(int* wrong, int dynamic_bytes) {
  SHARED(unsigned char, bytes, [1000]);
  DYNAMIC_SHARED(unsigned char, dynamic);
  if (threadIdx.x == 0) {
    for (const unsigned char byte : bytes) wrong[blockIdx.x] += byte == 0xff ? 0 : 1;
    for (int i = 0; i < dynamic_bytes; ++i) wrong[blockIdx.x] += dynamic[i] == 0xff ? 0 : 1;
  }
  __syncthreads();
  for (unsigned char& byte : bytes) byte = 0x11;
  for (int i = 0; i < dynamic_bytes; ++i) dynamic[i] = 0x22;
}

}  // namespace

TEST_CASE("shared memory holds NaN bytes when a block begins") {
  const WithSettings with([](simt::Settings& settings) { settings.os_threads = 1; });
  DeviceArray<int> wrong(5);
  for (const int dynamic_bytes : {0, 1, 3000, 99 * 1024 - 1000}) {
    launch<shared_poison>(5, 2, dynamic_bytes, nullptr, wrong.data(), dynamic_bytes);
  }
  CHECK(std::count(wrong.begin(), wrong.end(), 0) == 5);
}

namespace {

template <int Bytes, int More>
__global__ void shared_fill(int* out) {
  SHARED(char, most_of_it, [Bytes]);
  SHARED(char, the_rest, [More]);
  most_of_it[threadIdx.x] = 1;
  the_rest[0] = 1;
  *out = 1;
}

}  // namespace

TEST_CASE("shared memory is limited to what every GPU supports") {
  DeviceArray<int> out(1);
  const auto fill = [&](std::size_t dynamic_bytes) {
    return error_of([&] { launch<shared_fill<47 * 1024, 1024>>(1, 32, dynamic_bytes, nullptr, out.data()); });
  };
  CHECK(fill(0) == "");
  CHECK(fill(20 * 1024) == "");  // only together more than the 48 KiB that need no attribute
  CHECK(fill((99 - 48) * 1024) == "");
  CHECK_THAT(fill((99 - 48) * 1024 + 1), Catch::Contains("too much shared memory with the variable the_rest") &&
                                             Catch::Contains("shared_fill<48128, 1024>") && Catch::Contains("101377"));
  CHECK_THAT(error_of([&] { launch<shared_fill<47 * 1024, 1025>>(1, 32, 0, nullptr, out.data()); }),
             Catch::Contains("too much shared memory with the variable the_rest") && Catch::Contains("49153"));
  CHECK_THAT(fill(99 * 1024 + 1), Catch::Contains("101377 bytes of shared memory"));
}

TEST_CASE("more than 48 KiB of shared memory need the attribute of the kernel") {
  DeviceArray<int> out(1);
  const auto fill = [&](std::size_t dynamic_bytes, std::size_t limit) {
    int* const data = out.data();
    simt::KernelCall call;
    call.name = "without_attribute";
    call.body = [](const void* argument) { shared_fill<8 * 1024, 1024>(*static_cast<int* const*>(argument)); };
    call.body_argument = &data;
    call.body_argument_bytes = sizeof(data);
    return error_of([&] { simt::execute(call, 1, 32, {dynamic_bytes, limit}); });
  };
  CHECK(fill(39 * 1024, 0) == "");
  CHECK_THAT(fill(39 * 1024 + 1, 0),
             Catch::Contains("too much shared memory with the variable the_rest: 9216 bytes static and 39937 dynamic"));
  CHECK(fill(39 * 1024 + 1, 39 * 1024 + 1) == "");
  CHECK_THAT(fill(49 * 1024, 48 * 1024), Catch::Contains("50176 bytes of dynamic shared memory; the limit is 49152"));
  CHECK(fill(49 * 1024, 49 * 1024) == "");
}

// ---- stacks ---------------------------------------------------------------------------------------------------------

namespace {

/// Keeps 48 KiB of local memory across barriers.
__global__ void large_locals(std::uint64_t* sums) {
  volatile unsigned local[12 * 1024];
  for (unsigned i = 0; i < 12 * 1024; ++i) local[i] = i * (threadIdx.x + 1);
  __syncthreads();
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < 12 * 1024; ++i) sum += local[i];
  __syncthreads();
  sums[threadIdx.x] = sum;
}

}  // namespace

TEST_CASE("every thread has its own local memory") {
  DeviceArray<std::uint64_t> sums(200);
  launch<large_locals>(1, 200, 0, nullptr, sums.data());
  const std::uint64_t one = std::uint64_t{12 * 1024} * (12 * 1024 - 1) / 2;
  for (std::size_t i = 0; i < sums.size(); ++i) CHECK(sums[i] == one * (i + 1));
}

// ---- OS threads -----------------------------------------------------------------------------------------------------

namespace {

/// Sums per block. The last block adds them up: the only pattern in which blocks communicate.
__global__ void sum_of_blocks(const float* values, float* block_sums, unsigned* ticket, float* total) {
  SHARED(float, sums, [256]);
  SHARED(bool, last);
  sums[threadIdx.x] = values[blockIdx.x * blockDim.x + threadIdx.x];
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) {
    block_sums[blockIdx.x] = sums[0];
    __threadfence();
    last = atomicInc(ticket, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    __threadfence();
    float sum = 0.0f;
    for (unsigned block = 0; block < gridDim.x; ++block) sum += block_sums[block];
    *total = sum;
  }
}

struct TotalOfBlocks {
  static constexpr unsigned kBlocks = 300;
  DeviceArray<float> values{kBlocks * 256};
  DeviceArray<float> block_sums{kBlocks};
  DeviceArray<unsigned> ticket{1};
  DeviceArray<float> total{1};

  TotalOfBlocks() {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1.0f / static_cast<float>(i + 1);
  }
  float operator()() {
    total[0] = 0.0f;
    launch<sum_of_blocks>(kBlocks, 256, 0, nullptr, values.data(), block_sums.data(), ticket.data(), total.data());
    return total[0];
  }
};

}  // namespace

TEST_CASE("results do not depend on the number of OS threads") {
  TotalOfBlocks sum;
  std::set<float> totals;
  for (const int os_threads : {1, 4, 2, 7, 0}) {
    for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
      const WithSettings with([&](simt::Settings& settings) {
        settings.os_threads = os_threads;
        settings.order = order;
      });
      totals.insert(sum());
    }
  }
  CHECK(totals.size() == 1);
  CHECK(*totals.begin() == Approx(11.82618));  // the harmonic number of 76800
}

namespace {

/// Records the OS thread of each block, after some work.
__global__ void record_os_thread(pthread_t* os_threads, std::uint64_t* sink) {
  std::uint64_t value = threadIdx.x;
  for (int i = 0; i < 4000; ++i) value = value * 6364136223846793005u + 1442695040888963407u;
  sink[blockIdx.x * blockDim.x + threadIdx.x] = value;
  __syncthreads();
  if (threadIdx.x == 0) os_threads[blockIdx.x] = pthread_self();
}

}  // namespace

TEST_CASE("blocks are distributed over OS threads") {
  if (simt::checker_built()) return;  // checker builds use one OS thread
  DeviceArray<pthread_t> os_threads(64);
  DeviceArray<std::uint64_t> sink(64 * 128);
  const auto used = [&](int wanted) {
    const WithSettings with([&](simt::Settings& settings) { settings.os_threads = wanted; });
    launch<record_os_thread>(64, 128, 0, nullptr, os_threads.data(), sink.data());
    return std::set<pthread_t>(os_threads.begin(), os_threads.end()).size();
  };
  CHECK(used(1) == 1);
  CHECK(used(2) == 2);
  CHECK(used(4) >= 2);
  CHECK(used(4) <= 4);
  CHECK(used(1) == 1);
}

TEST_CASE("several host threads can launch concurrently") {
  const float expected = TotalOfBlocks()();
  constexpr int kThreads = 4, kLaunches = 15;
  std::vector<int> right(kThreads, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      TotalOfBlocks sum;
      for (int i = 0; i < kLaunches; ++i) right[static_cast<std::size_t>(t)] += sum() == expected ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == std::vector<int>(kThreads, kLaunches));
}

TEST_CASE("host threads reuse the fibers of earlier host threads") {
  const float expected = TotalOfBlocks()();
  int right = 0;
  for (int i = 0; i < 8; ++i) {
    std::thread([&] { right += TotalOfBlocks()() == expected ? 1 : 0; }).join();
    right += TotalOfBlocks()() == expected ? 1 : 0;
  }
  CHECK(right == 16);
}

// ---- counters -------------------------------------------------------------------------------------------------------

namespace {

__global__ void counted(int barriers, int collectives) {
  for (int i = 0; i < barriers; ++i) __syncthreads();
  for (int i = 0; i < collectives; ++i) __syncwarp();
}
__global__ void counted_too() {}

}  // namespace

TEST_CASE("counters are kept per kernel in the order of first launch") {
  simt::reset_counters();
  launch<counted>(10, 100, 0, nullptr, 3, 5);
  launch<counted_too>({2, 3}, 32, 0, nullptr);
  launch<counted>(1, 32, 0, nullptr, 7, 0);
  const std::vector<simt::KernelCounters> counters = simt::counters();
  REQUIRE(counters.size() == 2);
  CHECK(counters[0].kernel == "counted");
  CHECK(counters[0].launches == 2);
  CHECK(counters[0].blocks == 11);
  CHECK(counters[0].threads == 1032);
  CHECK(counters[0].barriers == 37);
  CHECK(counters[0].collectives == 10 * 4 * 5);  // four warps per block, the last with four lanes
  CHECK(counters[0].mma == 0);
  CHECK(counters[0].seconds > 0.0);
  CHECK(counters[1].kernel == "counted_too");
  CHECK(counters[1].launches == 1);
  CHECK(counters[1].blocks == 6);
  CHECK(counters[1].barriers == 0);
  simt::reset_counters();
  CHECK(simt::counters().empty());
}

TEST_CASE("launches that are not run are counted with their shapes") {
  const WithSettings scope([](simt::Settings& settings) { settings.execution = simt::Execution::none; });
  simt::reset_counters();
  launch<counted>(10, 100, 0, nullptr, 3, 5);
  launch<counted>(2, {16, 4}, 4096, nullptr, 3, 5);
  launch<counted>(7, 64, 4096, nullptr, 3, 5);
  const std::vector<simt::KernelCounters> counters = simt::counters();
  REQUIRE(counters.size() == 1);
  CHECK(counters[0].launches == 3);
  CHECK(counters[0].blocks == 19);
  CHECK(counters[0].barriers == 0);
  CHECK(counters[0].shapes == std::set<simt::LaunchShape>{{100, 0}, {64, 4096}});
  CHECK_THROWS_WITH(launch<counted>(1, 2048, 0, nullptr, 3, 5), Catch::Contains("the limit is 1024"));
}

// ---- settings from the environment; run by CMakeLists.txt with and without mistakes ---------------------------------

TEST_CASE("the environment sets the settings", "[.environment]") {
  const simt::Settings& settings = simt::settings();
  CHECK(settings.order == simt::Order::random);
  CHECK(settings.seed == 12);
  CHECK(settings.copies == simt::CopyLanding::eager);
  CHECK(settings.os_threads == 3);
  CHECK(settings.watchdog_seconds == 1.5);
  CHECK(settings.device_memory == 100'000'000);
  std::size_t free_bytes = 0, total_bytes = 0;
  CHECK(cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess);
  CHECK(total_bytes == 100'000'000);
}

TEST_CASE("an invalid setting in the environment is an error", "[.environment-mistake]") {
  CHECK_THAT(error_of([] { simt::settings(); }), Catch::StartsWith("MINCEPTION_SIMT: "));
}

}  // namespace minception::cuda
