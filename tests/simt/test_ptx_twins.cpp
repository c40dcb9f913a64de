/// Compares the host twins of kernels/cuda/ptx.h with the PTX ISA: asynchronous copies, fragments, matrix products,
/// conversions. The fragment layouts are repeated here from the tables of the ISA, independently of the twins.

#include "tests/simt/emulation.h"

#include "core/random.h"
#include "kernels/cuda/ptx.h"

#include "tests/catch.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

namespace minception::cuda {
namespace {

using Catch::Contains;

const float kInfinity = std::numeric_limits<float>::infinity();

std::vector<simt::CopyLanding> both_landings() { return {simt::CopyLanding::lazy, simt::CopyLanding::eager}; }

WithSettings landing(simt::CopyLanding copies) {
  return WithSettings([&](simt::Settings& settings) { settings.copies = copies; });
}

// ---- cp.async -------------------------------------------------------------------------------------------------------

template <int Bytes>
__global__ void copy_asynchronously(const unsigned char* from, unsigned char* to) {
  struct alignas(Bytes) Piece {
    unsigned char byte[Bytes];
  };
  SHARED(Piece, pieces, [64 + 1]);
  unsigned char* const tile = pieces[0].byte;
  const unsigned i = threadIdx.x;
  cp_async<Bytes>(tile + i * Bytes, from + i * Bytes, i % 3 != 2);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  for (unsigned byte = 0; byte < Bytes; ++byte) to[i * Bytes + byte] = tile[i * Bytes + byte];
}

template <int Bytes>
int wrong_copies() {
  DeviceArray<unsigned char> from(64 * Bytes), to(64 * Bytes);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<unsigned char>(1 + i % 250);
  launch<copy_asynchronously<Bytes>>(1, 64, 0, nullptr, from.data(), to.data());
  int wrong = 0;
  for (std::size_t i = 0; i < from.size(); ++i) wrong += to[i] == (i / Bytes % 3 != 2 ? from[i] : 0) ? 0 : 1;
  return wrong;
}

}  // namespace

TEST_CASE("cp.async copies 4 or 8 or 16 bytes or writes zeros") {
  for (const simt::CopyLanding copies : both_landings()) {
    const WithSettings with = landing(copies);
    CHECK(wrong_copies<4>() == 0);
    CHECK(wrong_copies<8>() == 0);
    CHECK(wrong_copies<16>() == 0);
  }
}

namespace {

/// Records the contents of shared memory after every step.
__global__ void copy_in_groups(const std::uint32_t* from, std::uint32_t* seen) {
  SHARED(std::uint32_t, tile, [4]);
  int step = 0;
  const auto look = [&] {
    for (const std::uint32_t word : tile) *seen++ = word;
    ++step;
  };
  cp_async<4>(&tile[0], from + 0);
  cp_async<4>(&tile[1], from + 1);
  look();  // not committed yet
  cp_async_wait<0>();
  look();  // a wait covers only committed groups
  cp_async_commit();
  cp_async<4>(&tile[2], from + 2);
  cp_async_commit();
  cp_async_commit();  // an empty group counts
  cp_async<4>(&tile[3], from + 3);
  cp_async_commit();
  look();
  cp_async_wait<4>();
  look();
  cp_async_wait<3>();
  look();
  cp_async_wait<2>();
  look();
  cp_async_wait<1>();
  look();
  cp_async_wait<0>();
  look();
}

}  // namespace

TEST_CASE("copies land at the wait for their group or immediately") {
  DeviceArray<std::uint32_t> from(4);
  for (std::size_t i = 0; i < 4; ++i) from[i] = static_cast<std::uint32_t>(i + 1);
  DeviceArray<std::uint32_t> seen(8 * 4);
  const auto look = [&](std::size_t step) {
    return std::vector<std::uint32_t>(seen.begin() + step * 4, seen.begin() + step * 4 + 4);
  };
  using Words = std::vector<std::uint32_t>;
  const std::uint32_t kPoison = 0xffffffffu;
  {
    const WithSettings with = landing(simt::CopyLanding::lazy);
    launch<copy_in_groups>(1, 1, 0, nullptr, from.data(), seen.data());
    for (std::size_t step = 0; step < 4; ++step) CHECK(look(step) == Words(4, kPoison));
    CHECK(look(4) == Words{1, 2, kPoison, kPoison});
    CHECK(look(5) == Words{1, 2, 3, kPoison});
    CHECK(look(6) == Words{1, 2, 3, kPoison});
    CHECK(look(7) == Words{1, 2, 3, 4});
  }
  {
    const WithSettings with = landing(simt::CopyLanding::eager);
    launch<copy_in_groups>(1, 1, 0, nullptr, from.data(), seen.data());
    CHECK(look(0) == Words{1, 2, kPoison, kPoison});
    CHECK(look(1) == Words{1, 2, kPoison, kPoison});
    for (std::size_t step = 2; step < 8; ++step) CHECK(look(step) == Words{1, 2, 3, 4});
  }
}

namespace {

constexpr int kForgottenCommit = __LINE__ + 3;
__global__ void forget_commit(const float* from) {
  SHARED(float, word);
  cp_async<4>(&word, from);
  cp_async_wait<0>();
}

constexpr int kForgottenWait = __LINE__ + 3;
__global__ void forget_wait(const float* from) {
  SHARED(float, word);
  cp_async<4>(&word, from);
  cp_async_commit();
  cp_async_wait<1>();
}

struct alignas(16) Bytes32 {
  char bytes[32];
};

constexpr int kMisaligned = __LINE__ + 3;
__global__ void copy_misaligned(const char* from, unsigned skip_shared, unsigned skip_global, bool valid) {
  SHARED(Bytes32, words);
  cp_async<16>(words.bytes + skip_shared, from + skip_global, valid);
  cp_async_commit();
  cp_async_wait<0>();
}

}  // namespace

TEST_CASE("a cp.async that is never committed or never waited for is an error") {
  DeviceArray<float> from(4);
  for (const simt::CopyLanding copies : both_landings()) {
    const WithSettings with = landing(copies);
    CHECK_THAT(
        error_of([&] { launch<forget_commit>(1, 32, 0, nullptr, from.data()); }),
        Contains("the kernel forget_commit") && Contains("was never committed") && Contains(at_line(kForgottenCommit)));
    CHECK_THAT(
        error_of([&] { launch<forget_wait>(1, 32, 0, nullptr, from.data()); }),
        Contains("the kernel forget_wait") && Contains("was never waited for") && Contains(at_line(kForgottenWait)));
  }
}

TEST_CASE("a misaligned cp.async is an error") {
  DeviceArray<char> from(64);
  const auto error = [&](unsigned skip_shared, unsigned skip_global, bool valid) {
    return error_of([&] { launch<copy_misaligned>(1, 1, 0, nullptr, from.data(), skip_shared, skip_global, valid); });
  };
  CHECK(error(0, 0, true) == "");
  CHECK(error(16, 16, true) == "");
  CHECK_THAT(error(8, 0, true),
             Contains("to a shared address that is not a multiple of 16") && Contains(at_line(kMisaligned)));
  CHECK_THAT(error(0, 4, true), Contains("from a global address that is not a multiple of 16"));
  CHECK_THAT(error(8, 0, false), Contains("to a shared address"));
  CHECK(error(0, 4, false) == "");  // the source is not read
}

// ---- ldmatrix -------------------------------------------------------------------------------------------------------

namespace {

/// Eight matrices of 8 x 8 words; the word of matrix m, row r, column c is 100 m + 10 r + c. Rows are 48 bytes apart.
template <bool Transposed>
__global__ void load_all_matrices(std::uint32_t* out) {
  struct alignas(16) Row {
    std::uint16_t element[24];
    __device__ std::uint16_t& operator[](unsigned column) { return element[column]; }
  };
  SHARED(Row, matrices, [8 * 8]);
  const unsigned lane = threadIdx.x;
  for (unsigned row = lane; row < 64; row += 32) {
    for (unsigned column = 0; column < 8; ++column) {
      matrices[row][column] = static_cast<std::uint16_t>(row / 8 * 100 + row % 8 * 10 + column);
    }
  }
  __syncthreads();
  std::uint32_t fragments[2][4];
  const void* const rows[2] = {matrices[lane].element, matrices[32 + lane].element};
  load_matrices<2, Transposed>(fragments, rows);
  for (unsigned k = 0; k < 2; ++k) {
    for (unsigned j = 0; j < 4; ++j) out[lane * 8 + k * 4 + j] = fragments[k][j];
  }
}

template <bool Transposed>
int wrong_fragments() {
  DeviceArray<std::uint32_t> out(32 * 8);
  launch<load_all_matrices<Transposed>>(1, 32, 0, nullptr, out.data());
  // PTX ISA, ldmatrix: thread l receives elements 2 (l % 4) and 2 (l % 4) + 1 of row l / 4 of each matrix, the first
  // one in the lower half. With .trans the matrix is loaded in column-major order.
  int wrong = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    for (unsigned matrix = 0; matrix < 8; ++matrix) {
      for (unsigned half = 0; half < 2; ++half) {
        unsigned row = lane / 4;
        unsigned column = 2 * (lane % 4) + half;
        if (Transposed) std::swap(row, column);
        wrong += (out[lane * 8 + matrix] >> (16 * half) & 0xffffu) == matrix * 100 + row * 10 + column ? 0 : 1;
      }
    }
  }
  return wrong;
}

struct alignas(16) MatrixRow {
  std::uint16_t element[8];
};

constexpr int kMisalignedRow = __LINE__ + 5;
__global__ void load_misaligned() {
  SHARED(MatrixRow, matrix, [32]);
  std::uint32_t fragments[1][4];
  const void* const rows[1] = {threadIdx.x == 13 ? &matrix[13].element[4] : matrix[threadIdx.x].element};
  load_matrices<1>(fragments, rows);
}

}  // namespace

TEST_CASE("load_matrices gives each lane the elements that the PTX ISA specifies") {
  CHECK(wrong_fragments<false>() == 0);
  CHECK(wrong_fragments<true>() == 0);
}

TEST_CASE("load_matrices needs aligned rows and a whole warp") {
  CHECK_THAT(error_of([] { launch<load_misaligned>(1, 32, 0, nullptr); }),
             Contains("the row of lane 13") && Contains(at_line(kMisalignedRow)));
  CHECK_THAT(error_of([] { launch<load_misaligned>(1, 13, 0, nullptr); }),
             Contains("ldmatrix needs all 32 lanes of a warp; this warp has 13"));
}

// ---- mma.sync -------------------------------------------------------------------------------------------------------

namespace {

template <class T, int MT, int NT>
__global__ void multiply_tiles(const std::uint32_t* a_words, const std::uint32_t* b_words, float* c_values) {
  const unsigned lane = threadIdx.x;
  std::uint32_t a[MT][4], b[NT][2];
  float c[MT][NT][4];
  std::memcpy(a, a_words + lane * MT * 4, sizeof(a));
  std::memcpy(b, b_words + lane * NT * 2, sizeof(b));
  std::memcpy(c, c_values + lane * MT * NT * 4, sizeof(c));
  mma_tile<T, MT, NT>(c, a, b);
  std::memcpy(c_values + lane * MT * NT * 4, c, sizeof(c));
}

struct Spot {
  int row, column;
};

// Tables of the PTX ISA, "Matrix Fragments for mma.m16n8k8" (.tf32) and "... mma.m16n8k16" (.bf16): element i of
// `lane`, with groupID = lane >> 2, threadID_in_group = lane % 4.
Spot tf32_a(int lane, int i) {
  return {(lane >> 2) + (i == 1 || i == 3 ? 8 : 0), lane % 4 + (i == 2 || i == 3 ? 4 : 0)};
}
Spot tf32_b(int lane, int i) { return {lane % 4 + (i == 1 ? 4 : 0), lane >> 2}; }
Spot bf16_a(int lane, int i) {
  const bool upper = (0 <= i && i < 2) || (4 <= i && i < 6);
  return {(lane >> 2) + (upper ? 0 : 8), lane % 4 * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
}
Spot bf16_b(int lane, int i) { return {lane % 4 * 2 + (i & 1) + (i >= 2 ? 8 : 0), lane >> 2}; }
Spot result_c(int lane, int i) { return {(lane >> 2) + (i < 2 ? 0 : 8), lane % 4 * 2 + (i & 1)}; }

struct Matrix {
  int rows, columns;
  std::vector<float> values;
  Matrix(int rows_, int columns_)
      : rows(rows_), columns(columns_), values(static_cast<std::size_t>(rows_) * static_cast<std::size_t>(columns_)) {}
  float& operator()(int row, int column) { return values[static_cast<std::size_t>(row * columns + column)]; }
};

/// C + A * B by mma_tile. The tables above place A, B and C in fragments.
template <class T, int MT, int NT>
Matrix product_of_tiles(Matrix& a, Matrix& b, Matrix& c) {
  constexpr bool kBf16 = sizeof(T) == 2;
  DeviceArray<std::uint32_t> a_words(32 * MT * 4), b_words(32 * NT * 2);
  DeviceArray<float> c_values(32 * MT * NT * 4);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < MT; ++i) {
      for (int r = 0; r < 4; ++r) {
        std::uint32_t& word = a_words[static_cast<std::size_t>((lane * MT + i) * 4 + r)];
        if (kBf16) {
          const Spot low = bf16_a(lane, 2 * r), high = bf16_a(lane, 2 * r + 1);
          word = bf16(a(16 * i + low.row, low.column)).bits |
                 static_cast<std::uint32_t>(bf16(a(16 * i + high.row, high.column)).bits) << 16;
        } else {
          const Spot spot = tf32_a(lane, r);
          word = std::bit_cast<std::uint32_t>(a(16 * i + spot.row, spot.column));
        }
      }
    }
    for (int j = 0; j < NT; ++j) {
      for (int r = 0; r < 2; ++r) {
        std::uint32_t& word = b_words[static_cast<std::size_t>((lane * NT + j) * 2 + r)];
        if (kBf16) {
          const Spot low = bf16_b(lane, 2 * r), high = bf16_b(lane, 2 * r + 1);
          word = bf16(b(low.row, 8 * j + low.column)).bits |
                 static_cast<std::uint32_t>(bf16(b(high.row, 8 * j + high.column)).bits) << 16;
        } else {
          const Spot spot = tf32_b(lane, r);
          word = std::bit_cast<std::uint32_t>(b(spot.row, 8 * j + spot.column));
        }
      }
    }
  }
  const auto each_result = [&](auto&& f) {
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < MT; ++i) {
        for (int j = 0; j < NT; ++j) {
          for (int r = 0; r < 4; ++r) {
            const Spot spot = result_c(lane, r);
            f(16 * i + spot.row, 8 * j + spot.column,
              c_values[static_cast<std::size_t>(((lane * MT + i) * NT + j) * 4 + r)]);
          }
        }
      }
    }
  };
  each_result([&](int row, int column, float& value) { value = c(row, column); });
  launch<multiply_tiles<T, MT, NT>>(1, 32, 0, nullptr, a_words.data(), b_words.data(), c_values.data());
  Matrix result(c.rows, c.columns);
  each_result([&](int row, int column, float& value) { result(row, column) = value; });
  return result;
}

/// The largest deviation from a matrix product in double precision, relative to the sum of magnitudes.
template <class T, int MT, int NT>
double deviation(const std::function<float(std::uint32_t)>& value_of) {
  const int depth = sizeof(T) == 2 ? 16 : 8;
  Matrix a(16 * MT, depth), b(depth, 8 * NT), c(16 * MT, 8 * NT);
  const Random random{3, sizeof(T)};
  std::uint64_t next = 0;
  for (Matrix* matrix : {&a, &b, &c}) {
    for (float& value : matrix->values) value = value_of(random.bits(next++));
  }
  Matrix got = product_of_tiles<T, MT, NT>(a, b, c);
  double worst = 0.0;
  for (int row = 0; row < c.rows; ++row) {
    for (int column = 0; column < c.columns; ++column) {
      double sum = c(row, column), magnitude = std::abs(sum);
      for (int k = 0; k < depth; ++k) {
        const double product = static_cast<double>(a(row, k)) * b(k, column);
        sum += product;
        magnitude += std::abs(product);
      }
      const double difference = std::abs(got(row, column) - sum) / magnitude;
      if (!(difference <= worst)) worst = difference;
    }
  }
  return worst;
}

float small_integer(std::uint32_t bits) { return static_cast<float>(bits % 17) - 8.0f; }
/// A number with 8 significant bits, exact in float, tf32 and bf16.
float short_float(std::uint32_t bits) {
  return std::bit_cast<float>((bits & 0x80ff0000u & ~0x7f800000u) | (120 + (bits >> 8) % 8) << 23);
}

template <class T>
void check_products() {
  // Sums of integers are exact, so a single misplaced element is detected.
  CHECK((deviation<T, 1, 1>(small_integer)) == 0.0);
  CHECK((deviation<T, 2, 4>(small_integer)) == 0.0);
  CHECK((deviation<T, 4, 1>(small_integer)) == 0.0);
  CHECK((deviation<T, 8, 16>(small_integer)) == 0.0);
  const double worst = deviation<T, 4, 8>(short_float);
  CHECK(worst > 0.0);
  CHECK(worst < 4e-7);
}

}  // namespace

TEST_CASE("mma tiles of tf32 are matrix products") { check_products<float>(); }
TEST_CASE("mma tiles of bf16 are matrix products") { check_products<bf16>(); }

TEST_CASE("mma uses 10 mantissa bits of tf32 operands") {
  Matrix a(16, 8), b(8, 8), c(16, 8);
  for (int i = 0; i < 16; ++i) a(i, i % 8) = i % 2 == 0 ? 1.0f + 0x1.ffep-11f : -(1.0f + 0x1p-10f + 0x1.8p-11f);
  for (int i = 0; i < 8; ++i) b(i, i) = 3.0f + 0x1p-10f;  // one bit too many for tf32
  Matrix got = product_of_tiles<float, 1, 1>(a, b, c);
  for (int i = 0; i < 16; ++i) {
    CHECK(got(i, i % 8) == (i % 2 == 0 ? 3.0f : -3.0f * (1.0f + 0x1p-10f)));
  }
}

TEST_CASE("mma propagates NaN and infinity") {
  for (const float special : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    Matrix a(16, 16), b(16, 8), c(16, 8);
    a(5, 11) = special;
    std::fill(b.values.begin(), b.values.end(), 1.0f);
    c(9, 2) = special;
    Matrix got = product_of_tiles<bf16, 1, 1>(a, b, c);
    for (int column = 0; column < 8; ++column) {
      CHECK((std::isnan(special) ? std::isnan(got(5, column)) : got(5, column) == special));
      CHECK(got(4, column) == 0.0f);
    }
    CHECK((std::isnan(special) ? std::isnan(got(9, 2)) : got(9, 2) == special));
  }
}

TEST_CASE("mma instructions are counted") {
  DeviceArray<std::uint32_t> a(32 * 2 * 4), b(32 * 3 * 2);
  DeviceArray<float> c(32 * 2 * 3 * 4);
  simt::reset_counters();
  launch<multiply_tiles<float, 2, 3>>(4, 32, 0, nullptr, a.data(), b.data(), c.data());
  launch<multiply_tiles<bf16, 2, 3>>(1, 32, 0, nullptr, a.data(), b.data(), c.data());
  const auto counters = simt::counters();
  REQUIRE(counters.size() == 2);
  CHECK(counters[0].mma == 4 * 6);
  CHECK(counters[0].mma_flops == 4 * 6 * 2 * 16 * 8 * 8);
  CHECK(counters[0].collectives == 4);
  CHECK(counters[1].mma == 6);
  CHECK(counters[1].mma_flops == 6 * 2 * 16 * 8 * 16);
  CHECK_THAT(error_of([&] { launch<multiply_tiles<bf16, 2, 3>>(1, 31, 0, nullptr, a.data(), b.data(), c.data()); }),
             Contains("mma.sync needs all 32 lanes of a warp; this warp has 31"));
}

// ---- conversions ----------------------------------------------------------------------------------------------------

namespace {

/// `value` rounded to `bits` mantissa bits in double precision; `round` rounds to an integer. Denormals have the
/// spacing of the smallest normal numbers.
template <class Round>
float rounded(float value, int bits, Round round) {
  if (!std::isfinite(value) || value == 0.0f) return value;
  int exponent = 0;
  std::frexp(static_cast<double>(value), &exponent);  // |value| in [2^(exponent - 1), 2^exponent)
  const int unit = std::max(exponent - 1, -126) - bits;
  return static_cast<float>(std::ldexp(round(std::ldexp(static_cast<double>(value), -unit)), unit));
}

std::vector<float> interesting_floats() {
  std::vector<float> values = {0.0f,
                               -0.0f,
                               kInfinity,
                               -kInfinity,
                               std::numeric_limits<float>::max(),
                               -std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::denorm_min(),
                               std::numeric_limits<float>::min()};
  const Random random{11, 1};
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const std::uint32_t bits = random.bits(i);
    // Unchanged, and with the lower bits at and around ties of tf32 and bf16.
    for (const std::uint32_t word :
         {bits, (bits & 0xffffe000u) | 0x1000u, (bits & 0xffffe000u) | 0x0fffu, (bits & 0xffffe000u) | 0x1001u,
          (bits & 0xffff0000u) | 0x8000u, (bits & 0xffff0000u) | 0x7fffu, (bits & 0xffff0000u) | 0x8001u}) {
      const float value = std::bit_cast<float>(word);
      if (!std::isnan(value)) values.push_back(value);
    }
  }
  // Up to the largest float, where rounding up gives infinity.
  for (std::uint32_t bits = 0x7f7f0000u; bits < 0x7f800000u; bits += 0x7ffu) {
    values.push_back(std::bit_cast<float>(bits));
    values.push_back(-std::bit_cast<float>(bits));
  }
  return values;
}

}  // namespace

TEST_CASE("to_tf32 rounds to nearest with ties away from zero") {
  int wrong = 0;
  for (const float value : interesting_floats()) {
    const float expected = rounded(value, 10, [](double x) { return std::round(x); });
    wrong += to_tf32(value) == std::bit_cast<std::uint32_t>(expected) ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(to_tf32(1.0f + 0x1p-11f) == std::bit_cast<std::uint32_t>(1.0f + 0x1p-10f));
  CHECK(to_tf32(-1.0f - 0x1p-11f) == std::bit_cast<std::uint32_t>(-1.0f - 0x1p-10f));
  CHECK(to_tf32(1.0f + 0x1.ffep-12f) == std::bit_cast<std::uint32_t>(1.0f));
  CHECK(to_tf32(kInfinity) == 0x7f800000u);
  CHECK(to_tf32(-kInfinity) == 0xff800000u);
  CHECK(to_tf32(0x1.ffep127f) == 0x7f800000u);
  CHECK(to_tf32(0x1.ffdffep127f) == 0x7f7fe000u);
  for (const std::uint32_t nan : {0x7fc00000u, 0x7f800001u, 0xffffffffu, 0x7f801000u, 0xff800fffu}) {
    CHECK(std::isnan(std::bit_cast<float>(to_tf32(std::bit_cast<float>(nan)))));
  }
}

TEST_CASE("pack_bf16 rounds to nearest even with the first value in the lower half") {
  int wrong = 0;
  const std::vector<float> values = interesting_floats();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float other = values[(i * 7 + 1) % values.size()];
    const auto expected = [](float value) {
      return std::bit_cast<std::uint32_t>(rounded(value, 7, [](double x) { return std::nearbyint(x); })) >> 16;
    };
    wrong += pack_bf16(values[i], other) == (expected(values[i]) | expected(other) << 16) ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(pack_bf16(1.0f, -2.0f) == 0xc0003f80u);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK((pack_bf16(nan, 1.0f) & 0x7fffu) > 0x7f80u);
  CHECK(pack_bf16(nan, 1.0f) >> 16 == 0x3f80u);
  CHECK((pack_bf16(1.0f, std::bit_cast<float>(0x7f800001u)) >> 16 & 0x7fffu) > 0x7f80u);
}

}  // namespace minception::cuda
