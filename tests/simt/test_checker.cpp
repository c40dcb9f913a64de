/// Mistakes that the checker must report, each next to a correct kernel that it must not report. Markers identify the
/// lines that a report must name.

#include "kernels/cuda/ptx.h"
#include "kernels/cuda/vector.h"

#include "tests/simt/planted.h"

namespace minception::cuda {
namespace {

#define EXPECT_REPORT(kernel, texts, markers, ...) expect_report(__FILE__, kernel, texts, markers, [&] { __VA_ARGS__; })
#define TEXTS(...) \
  std::initializer_list<std::string> { __VA_ARGS__ }
#define LINES(...) \
  std::initializer_list<std::string> { __VA_ARGS__ }

__device__ int thread() { return static_cast<int>(threadIdx.x); }
__device__ int block() { return static_cast<int>(blockIdx.x); }
__device__ int threads() { return static_cast<int>(blockDim.x); }

}  // namespace

__global__ void copy_vectors(const float* from, float* to) {
  const float4 four = reinterpret_cast<const float4*>(from)[thread()];  // <- copy_vectors: read
  reinterpret_cast<float4*>(to)[thread()] = four;                       // <- copy_vectors: write
}

// ---- races in shared memory -----------------------------------------------------------------------------------------

template <bool Right>
__global__ void many_write_one(float* out) {
  SHARED(float, total, [4]);
  if (!Right || thread() == 0) {
    total[1] = static_cast<float>(thread());  // <- many_write_one
  }
  __syncthreads();
  out[thread()] = total[1];
}

TEST_CASE("two threads write the same shared memory") {
  DeviceArray<float> out(64);
  EXPECT_REPORT("many_write_one<false>",
                TEXTS("race in shared memory variable total, byte 4: thread (", "wrote at ", "overwrites at "),
                LINES("many_write_one"), launch<many_write_one<false>>(1, 64, 0, nullptr, out.data()));
  expect_no_report([&] { launch<many_write_one<true>>(1, 64, 0, nullptr, out.data()); });
}

template <bool Right>
__global__ void neighbour(float* out) {
  SHARED(float, tile, [64]);
  tile[thread()] = 0.0f;
  __syncthreads();
  tile[thread()] = 1.0f;  // <- neighbour: write
  if (Right) __syncthreads();
  out[thread()] = tile[(thread() + 32) % 64];  // <- neighbour: read
}

TEST_CASE("a thread reads what another warp writes without a barrier") {
  DeviceArray<float> out(64);
  EXPECT_REPORT("neighbour<false>", TEXTS("race in shared memory variable tile, byte ", " without a barrier between"),
                LINES("neighbour: write", "neighbour: read"), launch<neighbour<false>>(1, 64, 0, nullptr, out.data()));
  expect_no_report([&] { launch<neighbour<true>>(1, 64, 0, nullptr, out.data()); });
}

TEST_CASE("a race report names both threads and their accesses") {
  DeviceArray<float> out(64);
  const WithSettings with([](simt::Settings& settings) { settings.order = simt::Order::forward; });
  const auto line = [](const char* marker) { return line_of(marker, __FILE__); };
  CHECK(error_of([&] { launch<neighbour<false>>(1, 64, 0, nullptr, out.data()); }) ==
        concat(
            "the kernel neighbour<false>, block (0,0,0): race in shared memory variable tile, byte 128: thread (0,0,0) "
            "read at tests/simt/test_checker.cpp:",
            line("neighbour: read"), " what thread (32,0,0) overwrites at tests/simt/test_checker.cpp:",
            line("neighbour: write"), " without a barrier between"));
}

template <bool Right>
__global__ void read_before_overwritten(float* out) {
  SHARED(float, tile, [128]);
  tile[thread()] = 1.0f;
  __syncthreads();
  const float other = tile[127 - thread()];  // <- read_before_overwritten: read
  if (Right) __syncthreads();
  tile[thread()] = other + 1.0f;  // <- read_before_overwritten: write
  __syncthreads();
  out[thread()] = tile[thread()];
}

TEST_CASE("a thread overwrites what another thread reads without a barrier") {
  DeviceArray<float> out(128);
  EXPECT_REPORT("read_before_overwritten<false>", TEXTS("race in shared memory variable tile, byte "),
                LINES("read_before_overwritten: read", "read_before_overwritten: write"),
                launch<read_before_overwritten<false>>(1, 128, 0, nullptr, out.data()));
  expect_no_report([&] { launch<read_before_overwritten<true>>(1, 128, 0, nullptr, out.data()); });
}

template <bool Right>
__global__ void tree_sum(float* out) {
  SHARED(float, partial, [256]);
  partial[thread()] = 1.0f;
  __syncthreads();
  for (int distance = 128; distance > 0; distance /= 2) {
    if (thread() < distance) {
      partial[thread()] += partial[thread() + distance];  // <- tree_sum
    }
    if (Right) __syncthreads();
  }
  if (thread() == 0) out[0] = partial[0];
}

TEST_CASE("a reduction without barriers") {
  DeviceArray<float> out(1);
  EXPECT_REPORT("tree_sum<false>", TEXTS("race in shared memory variable partial, byte ", " without a barrier"),
                LINES("tree_sum"), launch<tree_sum<false>>(1, 256, 0, nullptr, out.data()));
  expect_no_report([&] { launch<tree_sum<true>>(1, 256, 0, nullptr, out.data()); });
  CHECK(out[0] == 256.0f);
}

enum class InWarp { nothing, shuffle, barrier };

template <InWarp Between>
__global__ void exchange_in_warp(float* out) {
  SHARED(float, tile, [32]);
  tile[thread()] = 0.0f;
  __syncthreads();
  tile[thread()] = 1.0f;  // <- exchange_in_warp: write
  if (Between == InWarp::shuffle) out[thread()] = __shfl_xor_sync(kFullWarp, 1.0f, 1);
  if (Between == InWarp::barrier) __syncwarp();
  out[thread()] = tile[31 - thread()];  // <- exchange_in_warp: read
}

TEST_CASE("lanes of a warp exchange through shared memory without __syncwarp") {
  DeviceArray<float> out(32);
  const auto texts = TEXTS("race in shared memory variable tile, byte ", " without a barrier or __syncwarp between");
  const auto lines = LINES("exchange_in_warp: write", "exchange_in_warp: read");
  EXPECT_REPORT("exchange_in_warp<InWarp::nothing>", texts, lines,
                launch<exchange_in_warp<InWarp::nothing>>(1, 32, 0, nullptr, out.data()));
  expect_no_report([&] { launch<exchange_in_warp<InWarp::barrier>>(1, 32, 0, nullptr, out.data()); });
}

TEST_CASE("a shuffle does not order memory accesses") {
  DeviceArray<float> out(32);
  EXPECT_REPORT("exchange_in_warp<InWarp::shuffle>", TEXTS("race in shared memory variable tile, byte "),
                LINES("exchange_in_warp: write", "exchange_in_warp: read"),
                launch<exchange_in_warp<InWarp::shuffle>>(1, 32, 0, nullptr, out.data()));
}

template <bool Right>
__global__ void warp_barrier_for_two_warps(float* out) {
  SHARED(float, tile, [64]);
  tile[thread()] = 0.0f;
  __syncthreads();
  tile[thread()] = 1.0f;  // <- warp_barrier_for_two_warps: write
  __syncwarp();
  const int partner = Right ? thread() ^ 31 : thread() ^ 63;
  out[thread()] = tile[partner];  // <- warp_barrier_for_two_warps: read
}

TEST_CASE("__syncwarp does not order two warps") {
  DeviceArray<float> out(64);
  EXPECT_REPORT("warp_barrier_for_two_warps<false>",
                TEXTS("race in shared memory variable tile, byte ", " without a barrier between"),
                LINES("warp_barrier_for_two_warps: write", "warp_barrier_for_two_warps: read"),
                launch<warp_barrier_for_two_warps<false>>(1, 64, 0, nullptr, out.data()));
  expect_no_report([&] { launch<warp_barrier_for_two_warps<true>>(1, 64, 0, nullptr, out.data()); });
}

template <bool Right>
__global__ void halves_of_a_word(bf16* out) {
  SHARED(bf16, tile, [64]);
  tile[thread()] = bf16(1.0f);
  if (!Right) {
    tile[thread() ^ 1] = bf16(2.0f);  // <- halves_of_a_word
  }
  __syncthreads();
  out[thread()] = tile[thread()];
}

TEST_CASE("two threads write the halves of one word") {
  DeviceArray<bf16> out(64);
  EXPECT_REPORT("halves_of_a_word<false>", TEXTS("race in shared memory variable tile, byte "),
                LINES("halves_of_a_word"), launch<halves_of_a_word<false>>(1, 64, 0, nullptr, out.data()));
  expect_no_report([&] { launch<halves_of_a_word<true>>(1, 64, 0, nullptr, out.data()); });
}

template <bool Right>
__global__ void vector_over_elements(float* out) {
  SHARED(float4, tile, [64]);
  auto* elements = reinterpret_cast<float*>(&tile[0]);
  for (int i = thread(); i < 256; i += threads()) elements[i] = 1.0f;
  __syncthreads();
  const float4 four = tile[thread()];  // <- vector_over_elements: read
  if (Right) __syncthreads();
  elements[4 * (63 - thread()) + 3] = four.x;  // <- vector_over_elements: write
  __syncthreads();
  out[thread()] = elements[thread()];
}

TEST_CASE("an element is written while a vector that holds it is read") {
  DeviceArray<float> out(64);
  EXPECT_REPORT("vector_over_elements<false>", TEXTS("race in shared memory variable tile, byte "),
                LINES("vector_over_elements: read", "vector_over_elements: write"),
                launch<vector_over_elements<false>>(1, 64, 0, nullptr, out.data()));
  expect_no_report([&] { launch<vector_over_elements<true>>(1, 64, 0, nullptr, out.data()); });
}

struct alignas(16) MatrixRow {
  std::uint32_t words[4];
};

template <bool Right>
__global__ void load_matrices_too_early(float* out) {
  SHARED(MatrixRow, tile, [32]);
  for (std::uint32_t& word : tile[thread()].words) word = 0;
  __syncthreads();
  tile[thread() / 4].words[thread() % 4] = 1;  // <- load_matrices_too_early: write
  if (Right) __syncthreads();
  std::uint32_t fragments[1][4];
  const void* const rows[1] = {&tile[thread()]};
  load_matrices<1>(fragments, rows);  // <- load_matrices_too_early: read
  out[thread()] = static_cast<float>(fragments[0][0]);
}

TEST_CASE("ldmatrix reads what other lanes write without a barrier") {
  DeviceArray<float> out(32);
  EXPECT_REPORT("load_matrices_too_early<false>", TEXTS("race in shared memory variable tile, byte "),
                LINES("load_matrices_too_early: write", "load_matrices_too_early: read"),
                launch<load_matrices_too_early<false>>(1, 32, 0, nullptr, out.data()));
  expect_no_report([&] { launch<load_matrices_too_early<true>>(1, 32, 0, nullptr, out.data()); });
}

// ---- races in device memory -----------------------------------------------------------------------------------------

template <bool Right>
__global__ void neighbour_in_device_memory(float* scratch, float* out) {
  scratch[thread()] = 1.0f;  // <- neighbour_in_device_memory: write
  if (Right) __syncthreads();
  out[thread()] = scratch[(thread() + 1) % threads()];  // <- neighbour_in_device_memory: read
}

TEST_CASE("a race in device memory within a block") {
  DeviceArray<float> scratch(64), out(64);
  EXPECT_REPORT("neighbour_in_device_memory<false>",
                TEXTS("race in device memory, byte ", " of an allocation of 256 bytes: "),
                LINES("neighbour_in_device_memory: write", "neighbour_in_device_memory: read"),
                launch<neighbour_in_device_memory<false>>(1, 64, 0, nullptr, scratch.data(), out.data()));
  expect_no_report([&] { launch<neighbour_in_device_memory<true>>(1, 64, 0, nullptr, scratch.data(), out.data()); });
}

template <bool Right>
__global__ void two_blocks_write_one(float* out) {
  out[Right ? block() * threads() + thread() : thread()] = 1.0f;  // <- two_blocks_write_one
}

TEST_CASE("two blocks write the same element") {
  DeviceArray<float> out(64);
  EXPECT_REPORT("two_blocks_write_one<false>",
                TEXTS("race in device memory, byte ", " of block (0,0,0)", " of block (1,0,0)", " wrote at ",
                      "; blocks are not ordered"),
                LINES("two_blocks_write_one"), launch<two_blocks_write_one<false>>(2, 32, 0, nullptr, out.data()));
  expect_no_report([&] { launch<two_blocks_write_one<true>>(2, 32, 0, nullptr, out.data()); });
}

template <bool Right>
__global__ void block_reads_another(float* scratch, float* out) {
  if (thread() == 0) {
    scratch[block()] = 1.0f;  // <- block_reads_another: write
  }
  __syncthreads();
  out[block() * threads() + thread()] = scratch[Right ? block() : 1];  // <- block_reads_another: read
}

TEST_CASE("a block reads what another block writes") {
  DeviceArray<float> scratch(4), out(128);
  EXPECT_REPORT("block_reads_another<false>", TEXTS("race in device memory, byte 4 of an allocation of 16 bytes: "),
                LINES("block_reads_another: write", "block_reads_another: read"),
                launch<block_reads_another<false>>(4, 32, 0, nullptr, scratch.data(), out.data()));
  expect_no_report([&] { launch<block_reads_another<true>>(4, 32, 0, nullptr, scratch.data(), out.data()); });
  SECTION("launches of one stream are ordered") {
    expect_no_report([&] {
      launch<two_blocks_write_one<true>>(2, 64, 0, nullptr, out.data());
      launch<two_blocks_write_one<true>>(4, 32, 0, nullptr, out.data());
    });
  }
}

template <bool Right>
__global__ void atomic_and_plain_read(int* counter, int* out) {
  atomicAdd(counter, 1);  // <- atomic_and_plain_read: atomic
  if (Right) __syncthreads();
  if (thread() == 0) {
    *out = *counter;  // <- atomic_and_plain_read: read
  }
}

TEST_CASE("a plain read races with atomics of other threads") {
  DeviceArray<int> counter(1), out(1);
  EXPECT_REPORT("atomic_and_plain_read<false>",
                TEXTS("race in device memory, byte 0 of an allocation of 4 bytes: ", "atomically"),
                LINES("atomic_and_plain_read: atomic", "atomic_and_plain_read: read"),
                launch<atomic_and_plain_read<false>>(1, 64, 0, nullptr, counter.data(), out.data()));
  expect_no_report([&] { launch<atomic_and_plain_read<true>>(1, 64, 0, nullptr, counter.data(), out.data()); });
}

/// How a block signals that its partial sums are written.
enum class Ticket {
  right,             ///< every thread writes, barrier, one thread: fence, atomic
  everybody_fences,  ///< every thread writes and fences, barrier, atomic
  without_fence,
  fence_too_early,  ///< fence before the writes
  without_barrier,  ///< the fence covers only the writes of its own thread
};

template <Ticket Kind>
__global__ void ticket_sum(float* partial, unsigned* ticket, float* out) {
  SHARED(bool, last, [1]);
  if (Kind == Ticket::fence_too_early) __threadfence();
  partial[block() * threads() + thread()] = 1.0f;  // <- ticket_sum: write
  if (Kind == Ticket::everybody_fences) __threadfence();
  if (Kind != Ticket::without_barrier) __syncthreads();
  if (thread() == 0) {
    if (Kind == Ticket::right || Kind == Ticket::without_barrier) __threadfence();
    *last = atomicAdd(ticket, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (!*last) return;
  float sum = 0.0f;
  for (unsigned i = 0; i < gridDim.x; ++i) {
    sum += partial[i * blockDim.x + threadIdx.x];  // <- ticket_sum: read
  }
  out[thread()] = sum;
  if (thread() == 0) *ticket = 0;  // for the next launch
}

TEST_CASE("the last block reduces: the ticket pattern with and without faults") {
  DeviceArray<float> partial(256), out(64);
  DeviceArray<unsigned> ticket(1);
  const auto run = [&]<Ticket Kind>() {
    ticket[0] = 0;
    launch<ticket_sum<Kind>>(4, 64, 0, nullptr, partial.data(), ticket.data(), out.data());
  };
  const auto texts =
      TEXTS("race in device memory, byte ", " of an allocation of 1024 bytes: ", "; blocks are not ordered");
  const auto lines = LINES("ticket_sum: write", "ticket_sum: read");
  SECTION("without a fence") {
    EXPECT_REPORT("ticket_sum<Ticket::without_fence>", texts, lines, run.operator()<Ticket::without_fence>());
  }
  SECTION("a fence before the writes") {
    EXPECT_REPORT("ticket_sum<Ticket::fence_too_early>", texts, lines, run.operator()<Ticket::fence_too_early>());
  }
  SECTION("without a barrier before the fence") {
    EXPECT_REPORT("ticket_sum<Ticket::without_barrier>", texts, lines, run.operator()<Ticket::without_barrier>());
  }
  SECTION("right") {
    expect_no_report([&] { run.operator()<Ticket::right>(); });
    expect_no_report([&] { run.operator()<Ticket::everybody_fences>(); });
    for (const float sum : out) CHECK(sum == 4.0f);
  }
}

// ---- bounds ---------------------------------------------------------------------------------------------------------

__global__ void index_shared(int index, float* out) {
  SHARED(float, first, [8]);
  SHARED(float, second, [8]);
  if (thread() < 8) first[thread()] = second[thread()] = 1.0f;
  __syncthreads();
  out[0] = first[index];  // <- index_shared
}

TEST_CASE("out of bounds in shared memory") {
  DeviceArray<float> out(1);
  const auto run = [&](int index) { launch<index_shared>(1, 32, 0, nullptr, index, out.data()); };
  EXPECT_REPORT("index_shared",
                TEXTS("out of bounds in shared memory: thread (", " reads at ",
                      " 4 bytes 4 bytes before the beginning of the variable first (32 bytes)"),
                LINES("index_shared"), run(-1));
  EXPECT_REPORT("index_shared", TEXTS("4 bytes 0 bytes past the end of the variable first (32 bytes)"),
                LINES("index_shared"), run(8));
  EXPECT_REPORT("index_shared", TEXTS("4 bytes 12 bytes past the end of the variable first (32 bytes)"),
                LINES("index_shared"), run(11));
  EXPECT_REPORT("index_shared", TEXTS("before the beginning of the variable second (32 bytes)"), LINES("index_shared"),
                run(23));
}

__global__ void dynamic_beside_static(int index, float* out) {
  SHARED(float, fixed, [8]);
  DYNAMIC_SHARED(float, tile);
  if (thread() < 8) fixed[thread()] = 1.0f;
  __syncthreads();
  tile[thread() + index] = fixed[thread() % 8];  // <- dynamic_beside_static
  __syncthreads();
  out[thread()] = tile[thread() + index];
}

TEST_CASE("out of bounds in dynamic shared memory") {
  DeviceArray<float> out(32);
  const auto run = [&](int index) {
    launch<dynamic_beside_static>(1, 32, 32 * sizeof(float), nullptr, index, out.data());
  };
  EXPECT_REPORT("dynamic_beside_static",
                TEXTS("out of bounds in shared memory: thread (31,0,0) writes at ",
                      "4 bytes 0 bytes past the end of the dynamic shared memory (128 bytes)"),
                LINES("dynamic_beside_static"), run(1));
  expect_no_report([&] { run(0); });
}

__global__ void copy_elements(const float* from, float* to) {
  const float value = from[thread()];  // <- copy_elements: read
  to[thread()] = value;                // <- copy_elements: write
}

TEST_CASE("out of bounds in device memory") {
  DeviceArray<float> a(31), b(40);
  EXPECT_REPORT("copy_elements",
                TEXTS("out of bounds in device memory: thread (31,0,0) reads at ",
                      "4 bytes 0 bytes past the end of an allocation of 124 bytes"),
                LINES("copy_elements: read"), launch<copy_elements>(1, 32, 0, nullptr, a.data(), b.data()));
  EXPECT_REPORT("copy_elements",
                TEXTS("out of bounds in device memory: thread (", "writes at ",
                      "before the beginning of an allocation of 124 bytes"),
                LINES("copy_elements: write"), launch<copy_elements>(1, 32, 0, nullptr, b.data(), a.data() - 1));
  expect_no_report([&] { launch<copy_elements>(1, 31, 0, nullptr, b.data(), a.data()); });
}

__global__ void copy_with_helper(const float* from, float* to) {
  store<4>(to + 4 * thread(), load<4>(from + 4 * thread()));  // <- copy_with_helper
}

TEST_CASE("an access in a function that is inlined into the kernel is reported with both lines") {
  DeviceArray<float> a(64), b(60);
  EXPECT_REPORT("copy_with_helper", TEXTS("writes at kernels/cuda/vector.h:", " (in tests/simt/test_checker.cpp:"),
                LINES("copy_with_helper"), launch<copy_with_helper>(1, 16, 0, nullptr, a.data(), b.data()));
}

TEST_CASE("a vector access across the end of an allocation") {
  DeviceArray<float> a(33), b(64);
  const auto copy = [](const float* from, float* to) { launch<copy_vectors>(1, 9, 0, nullptr, from, to); };
  EXPECT_REPORT("copy_vectors",
                TEXTS("out of bounds in device memory: thread (8,0,0) reads at ",
                      "16 bytes across the end of an allocation of 132 bytes"),
                LINES("copy_vectors: read"), copy(a.data(), b.data()));
}

TEST_CASE("an access to freed device memory") {
  DeviceArray<float> out(32);
  float* freed = nullptr;
  {
    const DeviceArray<float> gone(100);
    freed = gone.data();
  }
  EXPECT_REPORT("copy_elements",
                TEXTS("use after free: thread (", " of device memory, an allocation of 400 bytes that was freed"),
                LINES("copy_elements: read"), launch<copy_elements>(1, 32, 0, nullptr, freed, out.data()));
}

float variable_of_the_host[32];

TEST_CASE("an access to host memory") {
  DeviceArray<float> out(32);
  std::vector<float> host(32);
  EXPECT_REPORT("copy_elements", TEXTS("reads at ", "host memory, not device memory"), LINES("copy_elements: read"),
                launch<copy_elements>(1, 32, 0, nullptr, host.data(), out.data()));
  EXPECT_REPORT("copy_elements", TEXTS("writes at ", "host memory, not device memory"), LINES("copy_elements: write"),
                launch<copy_elements>(1, 32, 0, nullptr, out.data(), &variable_of_the_host[0]));
  EXPECT_REPORT("copy_elements", TEXTS("reads at ", "through a null pointer"), LINES("copy_elements: read"),
                launch<copy_elements>(1, 32, 0, nullptr, nullptr, out.data()));
}

template <bool Right>
__global__ void lend_local_variable(float* out) {
  SHARED(float*, lent, [1]);
  float local = static_cast<float>(thread());
  if (thread() == 0) *lent = &local;
  __syncthreads();
  if (Right ? thread() == 0 : thread() == 5) {
    out[0] = **lent;  // <- lend_local_variable
  }
  __syncthreads();
}

TEST_CASE("an access to a local variable of another thread") {
  DeviceArray<float> out(1);
  EXPECT_REPORT("lend_local_variable<false>", TEXTS("thread (5,0,0) reads at ", " a local variable of thread (0,0,0)"),
                LINES("lend_local_variable"), launch<lend_local_variable<false>>(1, 32, 0, nullptr, out.data()));
  expect_no_report([&] { launch<lend_local_variable<true>>(1, 32, 0, nullptr, out.data()); });
}

// ---- initialisation and alignment -----------------------------------------------------------------------------------

__global__ void read_up_to(int written, int read, float* out) {
  SHARED(float, tile, [64]);
  if (thread() < written && block() < 4) tile[thread()] = 1.0f;
  __syncthreads();
  if (thread() < read) {
    out[block() * threads() + thread()] = tile[thread()];  // <- read_up_to
  }
}

TEST_CASE("a read of uninitialised shared memory") {
  DeviceArray<float> out(320);
  EXPECT_REPORT("read_up_to", TEXTS("uninitialised shared memory variable tile, byte 0: thread (0,0,0) reads at "),
                LINES("read_up_to"), launch<read_up_to>(1, 64, 0, nullptr, 0, 1, out.data()));
  EXPECT_REPORT("read_up_to", TEXTS("uninitialised shared memory variable tile, byte 160: thread (40,0,0) reads at "),
                LINES("read_up_to"), launch<read_up_to>(1, 64, 0, nullptr, 40, 41, out.data()));
  expect_no_report([&] { launch<read_up_to>(4, 64, 0, nullptr, 40, 40, out.data()); });
  // Another block's writes do not initialise shared memory.
  EXPECT_REPORT("read_up_to, block (4,0,0)",
                TEXTS("uninitialised shared memory variable tile, byte 0: thread (0,0,0) reads at "),
                LINES("read_up_to"), launch<read_up_to>(5, 64, 0, nullptr, 1, 1, out.data()));
}

template <bool Right>
__global__ void half_a_word(std::uint32_t* out) {
  SHARED(std::uint32_t, words, [32]);
  auto* halves = reinterpret_cast<std::uint16_t*>(&words[0]);
  halves[2 * thread()] = 1;
  if (Right || thread() != 7) halves[2 * thread() + 1] = 1;
  out[thread()] = words[thread()];  // <- half_a_word
}

TEST_CASE("a read of a word of which one half is uninitialised") {
  DeviceArray<std::uint32_t> out(32);
  EXPECT_REPORT("half_a_word<false>",
                TEXTS("uninitialised shared memory variable words, byte 30: thread (7,0,0) reads at "),
                LINES("half_a_word"), launch<half_a_word<false>>(1, 32, 0, nullptr, out.data()));
  expect_no_report([&] { launch<half_a_word<true>>(1, 32, 0, nullptr, out.data()); });
}

TEST_CASE("a misaligned vector access") {
  DeviceArray<float> a(64), b(64);
  EXPECT_REPORT("copy_vectors", TEXTS("misaligned: thread (", " reads at ", " 16 bytes in device memory, byte "),
                LINES("copy_vectors: read"), launch<copy_vectors>(1, 8, 0, nullptr, a.data() + 1, b.data()));
  EXPECT_REPORT("copy_vectors", TEXTS("misaligned: thread (", " writes at ", " 16 bytes in device memory, byte "),
                LINES("copy_vectors: write"), launch<copy_vectors>(1, 8, 0, nullptr, a.data(), b.data() + 2));
  expect_no_report([&] { launch<copy_vectors>(1, 8, 0, nullptr, a.data() + 4, b.data()); });
}

// ---- asynchronous copies --------------------------------------------------------------------------------------------

enum class Copies { right, without_wait, without_commit, waits_for_too_few, without_barrier };

template <Copies Kind>
__global__ void copy_two_groups(const float* from, float* out) {
  SHARED(float, tile, [64]);
  tile[thread()] = tile[32 + thread()] = 0.0f;
  __syncthreads();
  cp_async<4>(&tile[thread()], from + thread());  // <- copy_two_groups: first
  if (Kind != Copies::without_commit) cp_async_commit();
  cp_async<4>(&tile[32 + thread()], from + 32 + thread());  // <- copy_two_groups: second
  if (Kind != Copies::without_commit) cp_async_commit();
  if (Kind == Copies::waits_for_too_few) cp_async_wait<1>();
  if (Kind == Copies::right || Kind == Copies::without_barrier) cp_async_wait<0>();
  if (Kind != Copies::without_barrier) __syncthreads();
  if (Kind != Copies::without_commit) {
    const int partner = 31 - thread();
    out[thread()] = tile[partner];            // <- copy_two_groups: read first
    out[32 + thread()] = tile[32 + partner];  // <- copy_two_groups: read second
  }
  cp_async_wait<0>();
}

TEST_CASE("reads of asynchronous copies without a wait") {
  DeviceArray<float> from(64), out(64);
  const auto run = [&]<Copies Kind>() { launch<copy_two_groups<Kind>>(1, 32, 0, nullptr, from.data(), out.data()); };
  for (const simt::CopyLanding copies : {simt::CopyLanding::lazy, simt::CopyLanding::eager}) {
    const WithSettings with([&](simt::Settings& settings) { settings.copies = copies; });
    EXPECT_REPORT("copy_two_groups<Copies::without_wait>",
                  TEXTS("missing wait in shared memory variable tile, byte ", " what the cp.async of thread (",
                        " is still writing"),
                  LINES("copy_two_groups: first", "copy_two_groups: read first"),
                  run.operator()<Copies::without_wait>());
    EXPECT_REPORT(
        "copy_two_groups<Copies::waits_for_too_few>", TEXTS("missing wait in shared memory variable tile, byte "),
        LINES("copy_two_groups: second", "copy_two_groups: read second"), run.operator()<Copies::waits_for_too_few>());
    EXPECT_REPORT("copy_two_groups<Copies::without_commit>", TEXTS("was never committed"),
                  LINES("copy_two_groups: first"), run.operator()<Copies::without_commit>());
    expect_no_report([&] { run.operator()<Copies::right>(); });
  }
  EXPECT_REPORT("copy_two_groups<Copies::without_barrier>", TEXTS("race in shared memory variable tile, byte "),
                LINES(), run.operator()<Copies::without_barrier>());
}

template <bool Right>
__global__ void copy_over_what_is_read(const float* from, float* out) {
  SHARED(float, tile, [64]);
  float sum = 0.0f;
  for (int step = 0; step < 3; ++step) {
    cp_async<4>(&tile[thread()], from + thread());  // <- copy_over_what_is_read: copy
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    sum += tile[63 - thread()];  // <- copy_over_what_is_read: read
    if (Right) __syncthreads();
  }
  out[thread()] = sum;
}

TEST_CASE("an asynchronous copy overwrites what other threads read") {
  DeviceArray<float> from(64), out(64);
  EXPECT_REPORT("copy_over_what_is_read<false>", TEXTS("in shared memory variable tile, byte "),
                LINES("copy_over_what_is_read: copy", "copy_over_what_is_read: read"),
                launch<copy_over_what_is_read<false>>(1, 64, 0, nullptr, from.data(), out.data()));
  expect_no_report([&] { launch<copy_over_what_is_read<true>>(1, 64, 0, nullptr, from.data(), out.data()); });
}

__global__ void copy_from(const float* from, int valid, float* out) {
  SHARED(float4, tile, [32]);
  cp_async<16>(&tile[thread()], from + 4 * thread(), thread() < valid);  // <- copy_from
  cp_async_commit();
  cp_async_wait<0>();
  out[thread()] = tile[thread()].x;
}

TEST_CASE("the source of an asynchronous copy is checked") {
  DeviceArray<float> from(64), out(32);
  EXPECT_REPORT("copy_from",
                TEXTS("out of bounds in device memory: thread (", "reads at ", "16 bytes ",
                      " past the end of an allocation of 256 bytes"),
                LINES("copy_from"), launch<copy_from>(1, 32, 0, nullptr, from.data(), 17, out.data()));
  EXPECT_REPORT("copy_from", TEXTS("the cp.async at ", "multiple of 16"), LINES("copy_from"),
                launch<copy_from>(1, 32, 0, nullptr, from.data() + 1, 15, out.data()));
  std::vector<float> host(64);
  EXPECT_REPORT(
      "copy_from", TEXTS("from outside device memory"), LINES("copy_from"),
      launch<copy_from>(1, 32, 0, nullptr,
                        reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(host.data()) + 15) / 16 * 16), 1,
                        out.data()));
  expect_no_report([&] { launch<copy_from>(1, 32, 0, nullptr, from.data(), 16, out.data()); });
}

// ---- errors that the executor detects -------------------------------------------------------------------------------

__global__ void divergent_barriers() {
  if (thread() < 32) {
    __syncthreads();  // <- divergent_barriers: first
  } else {
    __syncthreads();  // <- divergent_barriers: second
  }
}

__global__ void early_exit(int leave) {
  if (thread() == leave) return;
  __syncthreads();  // <- early_exit
}

__global__ void bad_mask(float* out) {
  out[thread()] = __shfl_xor_sync(0x0000ffffu, 1.0f, 1);  // <- bad_mask
}

__global__ void inactive_lane(float* out) {
  if (thread() < 16) {
    out[thread()] = __shfl_sync(0x0000ffffu, 1.0f, 20);  // <- inactive_lane
  }
}

TEST_CASE("divergence is reported in checker builds") {
  DeviceArray<float> out(32);
  EXPECT_REPORT("divergent_barriers", TEXTS("divergent barriers"),
                LINES("divergent_barriers: first", "divergent_barriers: second"),
                launch<divergent_barriers>(1, 64, 0, nullptr));
  EXPECT_REPORT("early_exit", TEXTS("early exit", "thread (9,0,0)"), LINES("early_exit"),
                launch<early_exit>(1, 64, 0, nullptr, 9));
  expect_no_report([&] { launch<early_exit>(1, 64, 0, nullptr, 64); });
  EXPECT_REPORT("bad_mask", TEXTS("leaves out the calling lane"), LINES("bad_mask"),
                launch<bad_mask>(1, 32, 0, nullptr, out.data()));
  EXPECT_REPORT("inactive_lane", TEXTS("reads from lane 20, which does not participate"), LINES("inactive_lane"),
                launch<inactive_lane>(1, 32, 0, nullptr, out.data()));
}

// ---- the checker itself ---------------------------------------------------------------------------------------------

__global__ void wait_for_another(const int* flag, int* out) {
  const volatile int* waiting_for = flag;
  while (*waiting_for == 0) {
  }
  *out = *flag;
}

TEST_CASE("the watchdog ends a kernel while the checker is busy") {
  DeviceArray<int> flag(1), out(1);
  const WithSettings with([](simt::Settings& settings) { settings.watchdog_seconds = 0.2; });
  for (int i = 0; i < 3; ++i) {
    CHECK_THAT(
        error_of([&] { launch<wait_for_another>(1, 32, 0, nullptr, flag.data(), out.data()); }),
        Catch::Contains("the kernel wait_for_another, block (0,0,0), thread (0,0,0): made no progress for 0.2 s"));
    expect_no_report([&] { launch<many_write_one<true>>(1, 32, 0, nullptr, DeviceArray<float>(32).data()); });
  }
}

TEST_CASE("reports are deterministic") {
  DeviceArray<float> out(128);
  const auto run = [&] { launch<tree_sum<false>>(1, 256, 0, nullptr, out.data()); };
  const std::string report = error_of(run);
  CHECK(!report.empty());
  for (int i = 0; i < 3; ++i) CHECK(error_of(run) == report);
}

TEST_CASE("with check off the checker reports only accesses out of bounds") {
  DeviceArray<float> out(64), small(31);
  const WithSettings with([](simt::Settings& settings) { settings.check = false; });
  CHECK(error_of([&] { launch<neighbour<false>>(1, 64, 0, nullptr, out.data()); }) == "");
  CHECK(error_of([&] { launch<copy_elements>(1, 32, 0, nullptr, out.data(), small.data()); }) != "");
}

}  // namespace minception::cuda
