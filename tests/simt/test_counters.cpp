/// Counters of the checker for access patterns that are counted by hand: 32-byte sectors of requests to device memory,
/// passes over the 32 banks of shared memory.

#include "kernels/cuda/ptx.h"

#include "tests/catch.h"

#include "tests/simt/emulation.h"

namespace minception::cuda {
namespace {

/// Counters of the launches of one kernel.
template <class F>
simt::KernelCounters counts_of(F&& launch_it) {
  simt::reset_counters();
  launch_it();
  const auto counters = simt::counters();
  REQUIRE(counters.size() == 1);
  return counters.front();
}

__device__ int thread() { return static_cast<int>(threadIdx.x); }

/// Keeps the read of a value alive without storing it.
template <class T>
__device__ void use(const T& value, float* never) {
  if (static_cast<float>(value) == 123.0f) *never = 1.0f;
}

}  // namespace

// ---- device memory --------------------------------------------------------------------------------------------------

template <class T>
__global__ void read_elements(const T* from, int first, int stride, float* never) {
  use(from[first + thread() * stride], never);
}

TEST_CASE("sectors of a warp that reads floats") {
  DeviceArray<float> a(2048), never(1);
  const auto read = [&](int first, int stride, int threads = 32) {
    return counts_of(
        [&] { launch<read_elements<float>>(1, threads, 0, nullptr, a.data(), first, stride, never.data()); });
  };
  SECTION("next to each other") {
    const auto counts = read(0, 1);
    CHECK(counts.global_requests == 1);
    CHECK(counts.global_sectors == 4);
    CHECK(counts.global_read_bytes == 128);
    CHECK(counts.global_write_bytes == 0);
    CHECK(counts.distinct_read_sectors == 4);
    CHECK(counts.distinct_write_sectors == 0);
    CHECK(counts.shared_requests == 0);
  }
  SECTION("beginning in the middle of a sector") { CHECK(read(1, 1).global_sectors == 5); }
  SECTION("every second one") { CHECK(read(0, 2).global_sectors == 8); }
  SECTION("each in a sector of its own") {
    CHECK(read(0, 8).global_sectors == 32);
    CHECK(read(0, 32).global_sectors == 32);
  }
  SECTION("all the same one") { CHECK(read(5, 0).global_sectors == 1); }
  SECTION("backwards") { CHECK(read(31, -1).global_sectors == 4); }
  SECTION("by several warps, the last of which is not full") {
    const auto counts = read(0, 1, 70);
    CHECK(counts.global_requests == 3);
    CHECK(counts.global_sectors == 4 + 4 + 1);
    CHECK(counts.global_read_bytes == 280);
  }
}

TEST_CASE("sectors of a warp that reads bf16 and bytes") {
  DeviceArray<bf16> halves(64);
  DeviceArray<std::uint8_t> bytes(64);
  DeviceArray<float> never(1);
  CHECK(counts_of([&] {
          launch<read_elements<bf16>>(1, 32, 0, nullptr, halves.data(), 0, 1, never.data());
        }).global_sectors == 2);
  CHECK(counts_of([&] {
          launch<read_elements<std::uint8_t>>(1, 32, 0, nullptr, bytes.data(), 0, 1, never.data());
        }).global_sectors == 1);
}

__global__ void copy_four(const float* from, float* to) {
  const float4 four = reinterpret_cast<const float4*>(from)[thread()];
  reinterpret_cast<float4*>(to)[thread()] = make_float4(four.x + 1.0f, four.y, four.z, four.w);
}

TEST_CASE("sectors of a warp that copies float4") {
  DeviceArray<float> from(128), to(128);
  const auto counts = counts_of([&] { launch<copy_four>(1, 32, 0, nullptr, from.data(), to.data()); });
  CHECK(counts.global_requests == 2);
  CHECK(counts.global_sectors == 32);
  CHECK(counts.global_read_bytes == 512);
  CHECK(counts.global_write_bytes == 512);
  CHECK(counts.distinct_read_sectors == 16);
  CHECK(counts.distinct_write_sectors == 16);
}

__global__ void read_several_times(const float* from, int times, float* never) {
  float sum = 0.0f;
  for (int i = 0; i < times; ++i) {
    sum += from[thread()];
    if (sum == 123.0f) never[0] = sum;
  }
}

TEST_CASE("distinct sectors count once per launch") {
  DeviceArray<float> from(32), never(1);
  const auto counts = counts_of([&] {
    for (int i = 0; i < 2; ++i) launch<read_several_times>(5, 32, 0, nullptr, from.data(), 3, never.data());
  });
  CHECK(counts.launches == 2);
  CHECK(counts.global_requests == 2 * 5 * 3);
  CHECK(counts.global_sectors == 2 * 5 * 3 * 4);
  CHECK(counts.distinct_read_sectors == 2 * 4);
}

__global__ void read_as_often_as_lane(const float* from, float* never) {
  for (int i = 0; i < thread(); ++i) {
    if (from[32 * i + thread()] == 123.0f) never[0] = 1.0f;
  }
}

TEST_CASE("requests of lanes with different iteration counts") {
  DeviceArray<float> from(1024), never(1);
  const auto counts = counts_of([&] { launch<read_as_often_as_lane>(1, 32, 0, nullptr, from.data(), never.data()); });
  CHECK(counts.global_requests == 31);
  // Lanes i + 1 to 31 read in iteration i.
  std::uint64_t sectors = 0;
  for (int i = 0; i < 31; ++i) sectors += 4 - (i + 1) / 8;
  CHECK(counts.global_sectors == sectors);
  CHECK(counts.global_read_bytes == 4 * 31 * 32 / 2);
}

__global__ void two_branches(const float* from, float* never) {
  if (thread() < 16) {
    if (from[thread()] == 123.0f) never[0] = 1.0f;
  } else {
    if (from[thread()] == 321.0f) never[0] = 2.0f;
  }
}

TEST_CASE("branches of a divergent warp are separate requests") {
  DeviceArray<float> from(32), never(1);
  const auto counts = counts_of([&] { launch<two_branches>(1, 32, 0, nullptr, from.data(), never.data()); });
  CHECK(counts.global_requests == 2);
  CHECK(counts.global_sectors == 4);
}

__global__ void count_atomically(int* counter) { atomicAdd(counter + thread() / 16, 1); }

TEST_CASE("atomics are requests that read and write") {
  DeviceArray<int> counters(2);
  const auto counts = counts_of([&] { launch<count_atomically>(1, 32, 0, nullptr, counters.data()); });
  CHECK(counts.global_requests == 1);
  CHECK(counts.global_sectors == 1);
  CHECK(counts.global_read_bytes == 128);
  CHECK(counts.global_write_bytes == 128);
  CHECK(counts.distinct_read_sectors == 1);
  CHECK(counts.distinct_write_sectors == 1);
}

// ---- shared memory --------------------------------------------------------------------------------------------------

/// Stores with a stride. T is 2, 4, 8 or 16 bytes wide.
template <class T>
__global__ void write_shared(int stride) {
  DYNAMIC_SHARED(T, tile);
  tile[thread() * stride] = T{};
}

TEST_CASE("passes over the banks of shared memory") {
  const auto write = [&]<class T>(int stride, int threads = 32) {
    return counts_of([&] { launch<write_shared<T>>(1, threads, 64 * 1024, nullptr, stride); });
  };
  const auto check = [](const simt::KernelCounters& counts, unsigned wavefronts, unsigned conflicts) {
    CHECK(counts.shared_requests == 1);
    CHECK(counts.shared_wavefronts == wavefronts);
    CHECK(counts.shared_conflicts == conflicts);
    CHECK(counts.global_requests == 0);
  };
  SECTION("floats") {
    check(write.operator()<float>(1), 1, 0);
    check(write.operator()<float>(2), 2, 1);
    check(write.operator()<float>(4), 4, 3);
    check(write.operator()<float>(3), 1, 0);
    check(write.operator()<float>(32), 32, 31);
    check(write.operator()<float>(33), 1, 0);
    check(write.operator()<float>(32, 8), 8, 7);
  }
  SECTION("two lanes share a word of two bf16") {
    check(write.operator()<bf16>(1), 1, 0);
    check(write.operator()<bf16>(2), 1, 0);
    check(write.operator()<bf16>(64), 32, 31);
  }
  SECTION("8 bytes: half a warp at a time") {
    check(write.operator()<float2>(1), 2, 0);
    check(write.operator()<float2>(2), 4, 2);
    check(write.operator()<float2>(16), 32, 30);
  }
  SECTION("16 bytes: a quarter of a warp at a time") {
    check(write.operator()<float4>(1), 4, 0);
    check(write.operator()<float4>(2), 8, 4);
    check(write.operator()<float4>(8), 32, 28);
    check(write.operator()<float4>(1, 8), 1, 0);
  }
}

__global__ void read_one_word(float* never) {
  SHARED(float, word, [1]);
  if (thread() == 0) word[0] = 0.0f;
  __syncthreads();
  use(word[0], never);
}

TEST_CASE("a broadcast takes one pass") {
  DeviceArray<float> never(1);
  const auto counts = counts_of([&] { launch<read_one_word>(1, 32, 0, nullptr, never.data()); });
  CHECK(counts.shared_requests == 2);  // includes the write of one lane
  CHECK(counts.shared_wavefronts == 2);
  CHECK(counts.shared_conflicts == 0);
}

template <int Pitch>
__global__ void transpose(float* to) {
  SHARED(float, tile, [32 * Pitch]);
  for (int row = 0; row < 32; ++row) tile[row * Pitch + thread()] = 1.0f;
  __syncthreads();
  for (int row = 0; row < 32; ++row) to[row * 32 + thread()] = tile[thread() * Pitch + row];
}

TEST_CASE("bank conflicts of a transpose with and without padding") {
  DeviceArray<float> to(1024);
  const auto without = counts_of([&] { launch<transpose<32>>(1, 32, 0, nullptr, to.data()); });
  CHECK(without.shared_requests == 64);
  CHECK(without.shared_wavefronts == 32 + 32 * 32);
  CHECK(without.shared_conflicts == 32 * 31);
  const auto with = counts_of([&] { launch<transpose<33>>(1, 32, 0, nullptr, to.data()); });
  CHECK(with.shared_requests == 64);
  CHECK(with.shared_wavefronts == 64);
  CHECK(with.shared_conflicts == 0);
  CHECK(with.global_sectors == 32 * 4);
}

/// Two ldmatrix.x4 of rows that are `pitch` bytes apart.
__global__ void load_rows(int pitch) {
  DYNAMIC_SHARED(char, tile);
  auto* words = reinterpret_cast<float*>(tile);
  for (int i = thread(); i < 32 * pitch / 4; i += 32) words[i] = 0.0f;
  __syncthreads();
  std::uint32_t fragments[2][4];
  const void* const rows[2] = {tile + thread() * pitch, tile + thread() * pitch};
  load_matrices<2>(fragments, rows);
}

TEST_CASE("passes of ldmatrix") {
  const auto passes = [&](int pitch) {
    const auto counts = counts_of([&] { launch<load_rows>(1, 32, 32 * pitch, nullptr, pitch); });
    const auto stores = static_cast<std::uint64_t>(pitch) / 4;  // without bank conflicts
    CHECK(counts.shared_requests == stores + 2);
    CHECK(counts.shared_conflicts == counts.shared_wavefronts - stores - 8);
    return counts.shared_wavefronts - stores;
  };
  CHECK(passes(16) == 2 * 4);
  CHECK(passes(80) == 2 * 4);    // 20 words: the 8 rows of a matrix begin in 8 different groups of 4 banks
  CHECK(passes(144) == 2 * 4);   // 128 bytes and 16 of padding
  CHECK(passes(64) == 2 * 16);   // two groups of banks for 8 rows
  CHECK(passes(128) == 2 * 32);  // all rows in the same banks
}

__global__ void copy_to_shared(const float* from, float* never) {
  SHARED(float4, tile, [32]);
  cp_async<16>(&tile[thread()], from + 4 * thread(), thread() < 24);
  cp_async_commit();
  cp_async_wait<0>();
  use(tile[thread()].x, never);
}

TEST_CASE("an asynchronous copy reads device memory and writes shared memory") {
  DeviceArray<float> from(128), never(1);
  const auto counts = counts_of([&] { launch<copy_to_shared>(1, 32, 0, nullptr, from.data(), never.data()); });
  CHECK(counts.global_requests == 1);
  CHECK(counts.global_sectors == 24 / 2);
  CHECK(counts.global_read_bytes == 24 * 16);
  CHECK(counts.distinct_read_sectors == 24 / 2);
  CHECK(counts.shared_requests == 2);        // the copy and the read of x
  CHECK(counts.shared_wavefronts == 4 + 4);  // x is every fourth word
  CHECK(counts.shared_conflicts == 0 + 3);
}

__global__ void copy_in_rounds(const float* from) {
  SHARED(float4, tile, [64]);
  for (int round = 0; round < 2; ++round) {
    // Odd lanes copy zeros in the first iteration.
    cp_async<16>(&tile[32 * round + thread()], from + 128 * round + 4 * thread(), round == 1 || thread() % 2 == 0);
  }
  cp_async_commit();
  cp_async_wait<0>();
}

TEST_CASE("a cp.async of zeros belongs to the request of the other lanes") {
  DeviceArray<float> from(256);
  const auto counts = counts_of([&] { launch<copy_in_rounds>(1, 32, 0, nullptr, from.data()); });
  CHECK(counts.global_requests == 2);
  CHECK(counts.global_sectors == 16 + 16);
  CHECK(counts.global_read_bytes == (16 + 32) * 16);
}

TEST_CASE("check off gives the same counts") {
  DeviceArray<float> to(1024);
  const auto run = [&] { return counts_of([&] { launch<transpose<32>>(3, 32, 0, nullptr, to.data()); }); };
  const WithSettings with([](simt::Settings& settings) { settings.check = false; });
  const auto counts = run();
  CHECK(counts.global_sectors == 3 * 32 * 4);
  CHECK(counts.shared_wavefronts == 3 * (32 + 32 * 32));
  CHECK(counts.distinct_write_sectors == 128);
}

}  // namespace minception::cuda
