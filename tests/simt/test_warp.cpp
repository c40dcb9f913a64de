/// Warp-wide operations: shuffles, votes, reductions, and reports of divergent lanes. Also atomics.

#include "tests/simt/emulation.h"

#include "kernels/cuda/ptx.h"

#include "tests/catch.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace minception::cuda {
namespace {

using Catch::Contains;

// ---- shuffles -------------------------------------------------------------------------------------------------------

enum class Kind { index, up, down, exclusive_or };

template <class T>
__device__ T shuffled(Kind kind, T value, int operand, int width) {
  switch (kind) {
    case Kind::index:
      return __shfl_sync(kFullWarp, value, operand, width);
    case Kind::up:
      return __shfl_up_sync(kFullWarp, value, operand, width);
    case Kind::down:
      return __shfl_down_sync(kFullWarp, value, operand, width);
    case Kind::exclusive_or:
      return __shfl_xor_sync(kFullWarp, value, operand, width);
  }
  return value;
}

template <class T>
__global__ void shuffle_all(Kind kind, const T* values, T* out) {
  const unsigned warp = threadIdx.x / 32;
  for (int operand = 0; operand < 32; ++operand) {
    for (int log_width = 0; log_width <= 5; ++log_width) {
      const unsigned place = (warp * 32 + static_cast<unsigned>(operand)) * 6 + static_cast<unsigned>(log_width);
      out[place * 32 + threadIdx.x % 32] = shuffled(kind, values[threadIdx.x], operand, 1 << log_width);
    }
  }
}

/// The source lane of a lane, as the CUDA C++ Programming Guide defines it ("Warp Shuffle Functions"): each group of
/// `width` lanes is a separate warp with lane numbers from 0.
int heard_lane(Kind kind, int lane, int operand, int width) {
  const int inside = lane % width;
  const int group = lane - inside;
  switch (kind) {
    case Kind::index:
      return group + operand % width;
    case Kind::up:  // no wrap-around: the lower lanes keep their values
      return inside - operand < 0 ? lane : lane - operand;
    case Kind::down:
      return inside + operand >= width ? lane : lane + operand;
    case Kind::exclusive_or: {  // earlier groups can be read, later ones cannot
      const int from = lane ^ operand;
      return from / width > lane / width ? lane : from;
    }
  }
  return -1;
}

template <class T>
int wrong_shuffles(Kind kind) {
  DeviceArray<T> values(64);
  for (std::size_t i = 0; i < 64; ++i) values[i] = static_cast<T>(i) * T{3} - T{50};
  DeviceArray<T> out(2 * 32 * 6 * 32);
  launch<shuffle_all<T>>(1, 64, 0, nullptr, kind, values.data(), out.data());
  int wrong = 0;
  std::size_t next = 0;
  for (int warp = 0; warp < 2; ++warp) {
    for (int operand = 0; operand < 32; ++operand) {
      for (int width = 1; width <= 32; width *= 2) {
        for (int lane = 0; lane < 32; ++lane) {
          const int from = warp * 32 + heard_lane(kind, lane, operand, width);
          wrong += out[next++] == values[static_cast<std::size_t>(from)] ? 0 : 1;
        }
      }
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("shuffles of every kind and width read the lanes that the programming guide specifies") {
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    const WithSettings with([&](simt::Settings& settings) { settings.order = order; });
    for (const Kind kind : {Kind::index, Kind::up, Kind::down, Kind::exclusive_or}) {
      INFO("kind " << static_cast<int>(kind));
      CHECK(wrong_shuffles<float>(kind) == 0);
      CHECK(wrong_shuffles<int>(kind) == 0);
      CHECK(wrong_shuffles<unsigned>(kind) == 0);
    }
  }
}

namespace {

__global__ void shuffle_outside(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_sync(kFullWarp, lane, 35);
  out[32 + lane] = __shfl_sync(kFullWarp, lane, -1, 8);
}

}  // namespace

TEST_CASE("a shuffle index is taken modulo the width") {
  DeviceArray<int> out(64);
  launch<shuffle_outside>(1, 32, 0, nullptr, out.data());
  int wrong = 0;
  for (int lane = 0; lane < 32; ++lane) {
    wrong += out[static_cast<std::size_t>(lane)] == 3 ? 0 : 1;
    wrong += out[static_cast<std::size_t>(32 + lane)] == lane / 8 * 8 + 7 ? 0 : 1;
  }
  CHECK(wrong == 0);
}

namespace {

constexpr int kBadShuffle = __LINE__ + 2;
__global__ void shuffle_wrongly(int operand, int width) {
  __shfl_down_sync(kFullWarp, 1, static_cast<unsigned>(operand), width);
}

}  // namespace

TEST_CASE("shuffles that are undefined in CUDA are rejected") {
  const auto error = [](unsigned threads, int operand, int width) {
    return error_of([&] { launch<shuffle_wrongly>(1, threads, 0, nullptr, operand, width); });
  };
  CHECK(error(32, 31, 32) == "");
  CHECK_THAT(error(32, 1, 12), Contains("the width 12") && Contains(at_line(kBadShuffle)));
  CHECK_THAT(error(32, 1, 64), Contains("the width 64"));
  CHECK_THAT(error(32, 1, 0), Contains("the width 0"));
  CHECK_THAT(error(32, 32, 32), Contains("across 32 lanes") && Contains(at_line(kBadShuffle)));
  CHECK_THAT(error(20, 4, 32), Contains("lane 16 reads from lane 20, which does not participate"));
  CHECK(error(20, 4, 4) == "");
}

// ---- votes ----------------------------------------------------------------------------------------------------------

namespace {

struct Votes {
  unsigned ballot;
  int any, all, any_of_none, all_of_all;
};

__global__ void vote(unsigned pattern, Votes* out) {
  const int mine = static_cast<int>(pattern >> (threadIdx.x % 32) & 1u) * 4;  // any number except 0 is true
  out[threadIdx.x] = {__ballot_sync(kFullWarp, mine), __any_sync(kFullWarp, mine), __all_sync(kFullWarp, mine),
                      __any_sync(kFullWarp, 0), __all_sync(kFullWarp, 1)};
}

}  // namespace

TEST_CASE("votes by ballot and any and all") {
  DeviceArray<Votes> out(52);  // a full warp and one of 20 lanes
  for (const unsigned pattern : {0u, ~0u, 0x80000001u, 0xfffu, 0xfffffu, 0x12345678u, 0xff000000u}) {
    launch<vote>(1, 52, 0, nullptr, pattern, out.data());
    int wrong = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const unsigned present = i < 32 ? ~0u : 0xfffffu;
      const bool right = out[i].ballot == (pattern & present) && (out[i].any != 0) == ((pattern & present) != 0) &&
                         (out[i].all != 0) == ((pattern & present) == present) && out[i].any_of_none == 0 &&
                         out[i].all_of_all != 0;
      wrong += right ? 0 : 1;
    }
    INFO(std::hex << pattern);
    CHECK(wrong == 0);
  }
}

// ---- parts of a warp ------------------------------------------------------------------------------------------------

namespace {

/// The halves of a warp run different collectives and reconverge.
__global__ void halves(int* out) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  int value = lane;
  if (lane < 16) {
    for (int distance = 8; distance > 0; distance /= 2) value += __shfl_xor_sync(0x0000ffffu, value, distance);
  } else {
    value = static_cast<int>(__ballot_sync(0xffff0000u, lane % 2) >> 16);
    __syncwarp(0xffff0000u);
  }
  __syncwarp();
  out[threadIdx.x] = value + __shfl_sync(kFullWarp, value, 31 - lane);
}

}  // namespace

TEST_CASE("the halves of a warp can run different collectives") {
  DeviceArray<int> out(64);
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    const WithSettings with([&](simt::Settings& settings) { settings.order = order; });
    launch<halves>(1, 64, 0, nullptr, out.data());
    CHECK(std::count(out.begin(), out.end(), 120 + 0xaaaa) == 64);
  }
}

namespace {

constexpr int kLeftOut = __LINE__ + 1;
__global__ void mask_without_me(unsigned mask) { __ballot_sync(mask, 1); }

constexpr int kUnequalMasks = __LINE__ + 1;
__global__ void unequal_masks() { __ballot_sync(threadIdx.x == 7 ? 0xffu : kFullWarp, 1); }

constexpr int kTwoPlaces = __LINE__ + 1;
__global__ void two_places() { threadIdx.x < 5 ? __shfl_sync(kFullWarp, 1, 0) : __shfl_sync(kFullWarp, 2, 0); }

constexpr int kCollectiveOfSome = __LINE__ + 3;
__global__ void barrier_and_collective() {
  if (threadIdx.x < 16) {
    __shfl_sync(kFullWarp, 1, 0);
  }
  __syncthreads();
}

constexpr int kCollectiveWithoutOne = __LINE__ + 3;
__global__ void one_leaves() {
  if (threadIdx.x == 33) return;
  __syncwarp();
}

}  // namespace

TEST_CASE("a mask that leaves out the caller is an error") {
  CHECK_THAT(error_of([] { launch<mask_without_me>(1, 32, 0, nullptr, 0xfffffff7u); }),
             Contains("the kernel mask_without_me") && Contains("thread (3,0,0)") && Contains("the mask 0xfffffff7") &&
                 Contains("leaves out the calling lane 3") && Contains(at_line(kLeftOut)));
  // The mask may contain lanes that the block does not have. It must contain the caller.
  CHECK(error_of([] { launch<mask_without_me>(1, 5, 0, nullptr, 0x1fu); }) == "");
  CHECK(error_of([] { launch<mask_without_me>(1, 5, 0, nullptr, ~0u); }) == "");
  CHECK_THAT(error_of([] { launch<mask_without_me>(1, 5, 0, nullptr, 0xfu); }), Contains("the calling lane 4"));
}

TEST_CASE("lanes that diverge are reported with their positions and masks") {
  for (const simt::Order order : {simt::Order::forward, simt::Order::reverse, simt::Order::random}) {
    const WithSettings with([&](simt::Settings& settings) { settings.order = order; });
    CHECK_THAT(error_of([] { launch<unequal_masks>(1, 32, 0, nullptr); }),
               Contains("divergent warp") && Contains("mask 0xffffffff") && Contains("0xff") &&
                   Contains(at_line(kUnequalMasks)));
    const std::string places = error_of([] { launch<two_places>(1, 32, 0, nullptr); });
    CHECK_THAT(places, Contains("divergent warp: thread (0,0,0) waits in the warp collective at ") &&
                           Contains("but thread (5,0,0) waits in the warp collective at "));
    const std::size_t first = places.find(at_line(kTwoPlaces));
    const std::size_t second = places.find(at_line(kTwoPlaces), first + 1);
    REQUIRE(second != std::string::npos);
    CHECK(places.substr(first, 12) != places.substr(second, 12));  // the columns differ

    CHECK_THAT(error_of([] { launch<barrier_and_collective>(1, 32, 0, nullptr); }),
               Contains("divergent warp: thread (0,0,0) waits in the warp collective") &&
                   Contains(at_line(kCollectiveOfSome)) && Contains("thread (16,0,0) waits at the barrier") &&
                   Contains(at_line(kCollectiveOfSome + 2)));
    CHECK_THAT(error_of([] { launch<one_leaves>(1, 64, 0, nullptr); }),
               Contains("thread (32,0,0) waits in the warp collective") && Contains(at_line(kCollectiveWithoutOne)) &&
                   Contains("thread (33,0,0) has left the kernel before any barrier"));
  }
}

// ---- reductions -----------------------------------------------------------------------------------------------------

namespace {

__global__ void sum_warps(const float* values, float* sums, float* triples) {
  sums[threadIdx.x] = warp_sum(values[threadIdx.x]);
  float three[3] = {values[threadIdx.x], 1.0f, -values[threadIdx.x]};
  warp_sum(three);
  for (unsigned k = 0; k < 3; ++k) triples[3 * threadIdx.x + k] = three[k];
}

/// Every lane adds the value of the lane at `distance`, as on a GPU.
float butterfly(const float* values) {
  std::vector<float> lanes(values, values + 32);
  for (std::size_t distance = 16; distance > 0; distance /= 2) {
    const std::vector<float> before = lanes;
    for (std::size_t lane = 0; lane < 32; ++lane) lanes[lane] = before[lane] + before[lane ^ distance];
  }
  return lanes[0];
}

__global__ void largest_of_warps(const float* values, float* out) { out[threadIdx.x] = warp_max(values[threadIdx.x]); }

}  // namespace

TEST_CASE("warp_sum has the bits of the butterfly sum in all lanes") {
  DeviceArray<float> values(128), sums(128), triples(3 * 128);
  for (std::size_t i = 0; i < 128; ++i) {
    values[i] = std::ldexp(std::sin(static_cast<float>(i * i)), static_cast<int>(i * 7 % 23));
  }
  launch<sum_warps>(1, 128, 0, nullptr, values.data(), sums.data(), triples.data());
  int wrong = 0;
  for (std::size_t i = 0; i < 128; ++i) {
    const float expected = butterfly(values.data() + i / 32 * 32);
    wrong += sums[i] == expected && triples[3 * i] == expected && triples[3 * i + 1] == 32.0f &&
                     triples[3 * i + 2] == -expected
                 ? 0
                 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("warp_max is NaN if any value is NaN") {
  const float kInfinity = std::numeric_limits<float>::infinity();
  DeviceArray<float> values(32), out(32);
  const auto largest = [&] {
    launch<largest_of_warps>(1, 32, 0, nullptr, values.data(), out.data());
    return std::count(out.begin(), out.end(), out[0]) == 32 ||
                   std::count_if(out.begin(), out.end(), [](float value) { return std::isnan(value); }) == 32
               ? out[0]
               : -12345.0f;
  };
  for (std::size_t at = 0; at < 32; ++at) {
    std::fill(values.begin(), values.end(), -3.0f);
    values[at] = -2.0f;
    CHECK(largest() == -2.0f);
    values[(at + 5) % 32] = kInfinity;
    CHECK(largest() == kInfinity);
    values[at] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(largest()));
  }
  std::fill(values.begin(), values.end(), -kInfinity);
  CHECK(largest() == -kInfinity);
}

TEST_CASE("reductions need all 32 lanes") {
  DeviceArray<float> values(128), sums(128), triples(3 * 128);
  CHECK_THAT(error_of([&] { launch<sum_warps>(1, 40, 0, nullptr, values.data(), sums.data(), triples.data()); }),
             Contains("needs all 32 lanes of a warp; this warp has 8"));
  CHECK_THAT(error_of([&] { launch<largest_of_warps>(1, 31, 0, nullptr, values.data(), sums.data()); }),
             Contains("this warp has 31"));
}

// ---- atomics --------------------------------------------------------------------------------------------------------

namespace {

template <class T>
__global__ void update_atomically(T* cells, T* old) {
  const T me = static_cast<T>(threadIdx.x);
  atomicAdd(&cells[0], me);
  atomicMax(&cells[1], static_cast<T>(me - 50));
  atomicMin(&cells[2], static_cast<T>(me - 50));
  atomicOr(&cells[3], static_cast<T>(T{1} << (threadIdx.x % 31)));
  atomicAnd(&cells[4], static_cast<T>(~(T{1} << (threadIdx.x % 8))));
  old[threadIdx.x] = atomicExch(&cells[5], me);
  if (atomicCAS(&cells[6], T{7}, static_cast<T>(me + 1000)) == T{7}) atomicAdd(&cells[7], T{1});
}

template <class T>
void check_atomics() {
  DeviceArray<T> cells(8), old(100);
  cells[1] = T{10};
  cells[2] = T{10};
  cells[4] = static_cast<T>(-1);
  cells[5] = T{1000};
  cells[6] = T{7};
  launch<update_atomically<T>>(1, 100, 0, nullptr, cells.data(), old.data());
  CHECK(cells[0] == T{4950});
  // Unsigned: negative values wrap to large ones.
  CHECK(cells[1] == (std::is_signed_v<T> ? T{49} : static_cast<T>(-1)));
  CHECK(cells[2] == (std::is_signed_v<T> ? static_cast<T>(-50) : T{0}));
  CHECK(cells[3] == T{0x7fffffff});
  CHECK(cells[4] == static_cast<T>(~T{255}));
  CHECK(std::count(old.begin(), old.end(), T{1000}) == 1);
  CHECK(std::count(old.begin(), old.end(), cells[5]) == 0);
  CHECK(cells[6] != T{7});
  CHECK(cells[7] == T{1});
}

__global__ void count_round(unsigned* cell, unsigned limit) { atomicInc(cell, limit); }
__global__ void add_misaligned(char* bytes) { atomicAdd(reinterpret_cast<int*>(bytes + 2), 1); }

}  // namespace

TEST_CASE("integer atomics") {
  check_atomics<int>();
  check_atomics<unsigned>();
  check_atomics<long long>();
  check_atomics<unsigned long long>();
  DeviceArray<unsigned> cell(1);
  launch<count_round>(10, 100, 0, nullptr, cell.data(), 8);
  CHECK(cell[0] == 1000 % 9);
  DeviceArray<char> bytes(16);
  CHECK_THAT(error_of([&] { launch<add_misaligned>(1, 1, 0, nullptr, bytes.data()); }),
             Contains("not a multiple of 4"));
}

}  // namespace minception::cuda
