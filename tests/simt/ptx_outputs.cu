#include "tests/simt/ptx_outputs.h"

#include "core/random.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ptx.h"

#include <bit>
#include <cmath>
#include <string_view>

namespace minception::cuda {

// ---- one kernel per wrapper, launched with one warp -----------------------------------------------------------------

/// Three groups in flight, each waited for before it is read. Every fifth piece is filled with zeros (not `valid`).
template <int Bytes>
__global__ void ptx_cp_async(const std::uint32_t* in, std::uint32_t* out) {
  constexpr int kWords = Bytes / 4;
  constexpr int kGroups = 3;
  struct alignas(16) Piece {
    std::uint32_t word[kWords];
  };
  SHARED(Piece, tile, [kGroups][32]);
  const int lane = static_cast<int>(threadIdx.x);
  for (int group = 0; group < kGroups; ++group) {
    const int place = group * 32 + lane;
    cp_async<Bytes>(&tile[group][lane], in + place * kWords, place % 5 != 4);
    cp_async_commit();
  }
  const auto write = [&](int group) {
    for (int i = 0; i < kWords; ++i) out[(lane * kGroups + group) * kWords + i] = tile[group][lane ^ 1].word[i];
  };
  cp_async_wait<2>();
  __syncthreads();
  write(0);
  cp_async_wait<1>();
  __syncthreads();
  write(1);
  cp_async_wait<0>();
  __syncthreads();
  write(2);
}

template <bool Transposed>
__global__ void ptx_load_matrices(const std::uint32_t* in, std::uint32_t* out) {
  SHARED(uint4, rows_of_shared, [64]);
  const unsigned lane = threadIdx.x;
  for (unsigned row = lane; row < 64; row += 32) {
    rows_of_shared[row] = make_uint4(in[4 * row], in[4 * row + 1], in[4 * row + 2], in[4 * row + 3]);
  }
  __syncthreads();
  std::uint32_t fragments[2][4];
  const void* const rows[2] = {&rows_of_shared[lane], &rows_of_shared[63 - lane]};
  load_matrices<2, Transposed>(fragments, rows);
  for (unsigned k = 0; k < 8; ++k) out[8 * lane + k] = fragments[k / 4][k % 4];
}

__global__ void ptx_to_tf32(const std::uint32_t* in, std::uint32_t* out, int per_lane) {
  for (int i = static_cast<int>(threadIdx.x); i < 32 * per_lane; i += 32) out[i] = to_tf32(__uint_as_float(in[i]));
}
__global__ void ptx_pack_bf16(const std::uint32_t* in, std::uint32_t* out, int per_lane) {
  for (int i = static_cast<int>(threadIdx.x); i < 32 * per_lane; i += 32) {
    out[i] = pack_bf16(__uint_as_float(in[2 * i]), __uint_as_float(in[2 * i + 1]));
  }
}

constexpr int kMT = 2, kNT = 3;

/// Input per lane: 4 kMT words of A, 2 kNT words of B, 4 kMT kNT floats of C.
template <class T>
__global__ void ptx_mma_tile(const std::uint32_t* in, std::uint32_t* out) {
  std::uint32_t a[kMT][4], b[kNT][2];
  float c[kMT][kNT][4];
  in += threadIdx.x * (4 * kMT + 2 * kNT + 4 * kMT * kNT);
  for (int i = 0; i < 4 * kMT; ++i) a[i / 4][i % 4] = *in++;
  for (int i = 0; i < 2 * kNT; ++i) b[i / 2][i % 2] = *in++;
  for (int i = 0; i < 4 * kMT * kNT; ++i) c[i / 4 / kNT][i / 4 % kNT][i % 4] = __uint_as_float(*in++);
  mma_tile<T, kMT, kNT>(c, a, b);
  out += threadIdx.x * (4 * kMT * kNT);
  for (int i = 0; i < 4 * kMT * kNT; ++i) *out++ = __float_as_uint(c[i / 4 / kNT][i / 4 % kNT][i % 4]);
}

__global__ void ptx_warp_sum(const std::uint32_t* in, std::uint32_t* out) {
  float values[3];
  for (unsigned k = 0; k < 3; ++k) values[k] = __uint_as_float(in[3 * threadIdx.x + k]);
  warp_sum(values);
  for (unsigned k = 0; k < 3; ++k) out[4 * threadIdx.x + k] = __float_as_uint(values[k]);
  out[4 * threadIdx.x + 3] = __float_as_uint(warp_sum(__uint_as_float(in[96 + threadIdx.x])));
}
__global__ void ptx_warp_max(const std::uint32_t* in, std::uint32_t* out) {
  for (unsigned k = 0; k < 4; ++k) {
    out[4 * threadIdx.x + k] = __float_as_uint(warp_max(__uint_as_float(in[32 * k + threadIdx.x])));
  }
}

// ---- inputs ---------------------------------------------------------------------------------------------------------

namespace {

using Words = std::vector<std::uint32_t>;

class DeviceWords {
 public:
  explicit DeviceWords(std::size_t count) : count_(count) {
    void* data = nullptr;
    check(cudaMalloc(&data, 4 * count), "cudaMalloc");
    data_ = static_cast<std::uint32_t*>(data);
  }
  explicit DeviceWords(const Words& words) : DeviceWords(words.size()) {
    check(cudaMemcpyAsync(data_, words.data(), 4 * count_, cudaMemcpyHostToDevice, nullptr), "cudaMemcpyAsync");
  }
  ~DeviceWords() { cudaFree(data_); }
  DeviceWords(const DeviceWords&) = delete;
  DeviceWords& operator=(const DeviceWords&) = delete;

  std::uint32_t* data() const { return data_; }
  Words read() const {
    Words words(count_);
    check(cudaMemcpyAsync(words.data(), data_, 4 * count_, cudaMemcpyDeviceToHost, nullptr), "cudaMemcpyAsync");
    check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");
    return words;
  }

 private:
  std::uint32_t* data_ = nullptr;
  std::size_t count_ = 0;
};

/// Output of a kernel for `in`, launched with one warp.
template <auto kernel, class... More>
Words run(const Words& in, std::size_t out_words, More... more) {
  const DeviceWords device_in(in), device_out(out_words);
  launch<kernel>(1, 32, 0, nullptr, static_cast<const std::uint32_t*>(device_in.data()), device_out.data(), more...);
  return device_out.read();
}

/// Random words: any bit pattern.
Words any_words(std::string_view name, std::size_t count) {
  const Random random{kPtxSeed, name_hash(name)};
  Words words(count);
  for (std::size_t i = 0; i < count; ++i) words[i] = random.bits(i);
  return words;
}
/// Random floats of either sign with magnitudes between 2^-4 and 2^4.
Words floats(std::string_view name, std::size_t count) {
  Words words = any_words(name, count);
  for (std::uint32_t& word : words) word = (word & 0x807fffffu) | (123u + (word >> 23) % 8u) << 23;
  return words;
}
/// Random words with infinities, NaNs, zeros, largest and smallest numbers, ties of tf32 and bf16, near overflow.
Words conversion_inputs(std::string_view name, std::size_t count) {
  Words words = any_words(name, count);
  const std::uint32_t special[] = {0x00000000u, 0x80000000u, 0x7f800000u, 0xff800000u, 0x7f7fffffu, 0xff7fffffu,
                                   0x7f7fefffu, 0x7f7ff000u, 0x7f7f7fffu, 0x7f7f8000u, 0x00000001u, 0x007fffffu,
                                   0x00800000u, 0x00001000u, 0x00000fffu, 0x7fc00000u, 0x7f800001u, 0xffffffffu};
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i < std::size(special)) {
      words[i] = special[i];
    } else if (i % 4 == 1) {
      words[i] = (words[i] & 0xffffe000u) | 0x1000u;
    } else if (i % 4 == 2) {
      words[i] = (words[i] & 0xffff0000u) | 0x8000u;
    }
  }
  return words;
}

/// `words` with the signs of floats and bf16 pairs cleared. The first `pairs` words per lane are bf16 pairs.
Words magnitudes(Words words, std::size_t per_lane, std::size_t pairs) {
  for (std::size_t i = 0; i < words.size(); ++i) words[i] &= i % per_lane < pairs ? 0x7fff7fffu : 0x7fffffffu;
  return words;
}

constexpr std::size_t kOperands = 4 * kMT + 2 * kNT, kResults = 4 * kMT * kNT;

/// Output of mma_tile. A and B are bf16 pairs, or floats masked with `mantissa_mask`.
template <class T>
PtxOutput mma_output(std::string name, std::uint32_t mantissa_mask) {
  constexpr bool kPairs = sizeof(T) == 2;
  constexpr std::size_t kPerLane = kOperands + kResults;
  Words in = floats(name, 32 * kPerLane);
  const Words low = floats(name + " low", in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (i % kPerLane >= kOperands) continue;
    in[i] = kPairs ? (in[i] & 0xffff0000u) | low[i] >> 16 : in[i] & mantissa_mask;
  }
  const Words positive = magnitudes(in, kPerLane, kPairs ? kOperands : 0);
  return {std::move(name), PtxOutput::Agreement::sums, run<ptx_mma_tile<T>>(in, 32 * kResults),
          run<ptx_mma_tile<T>>(positive, 32 * kResults)};
}

}  // namespace

std::vector<PtxOutput> ptx_outputs() {
  using enum PtxOutput::Agreement;
  std::vector<PtxOutput> outputs;
  const auto add = [&](std::string name, PtxOutput::Agreement agreement, Words words) {
    outputs.push_back({std::move(name), agreement, std::move(words), {}});
  };
  add("cp_async 4", exact, run<ptx_cp_async<4>>(any_words("cp_async 4", 96), 96));
  add("cp_async 8", exact, run<ptx_cp_async<8>>(any_words("cp_async 8", 192), 192));
  add("cp_async 16", exact, run<ptx_cp_async<16>>(any_words("cp_async 16", 384), 384));
  add("load_matrices", exact, run<ptx_load_matrices<false>>(any_words("load_matrices", 256), 256));
  add("load_matrices transposed", exact, run<ptx_load_matrices<true>>(any_words("load_matrices", 256), 256));
  constexpr int kPerLane = 64;
  add("to_tf32", f32, run<ptx_to_tf32>(conversion_inputs("to_tf32", 32 * kPerLane), 32 * kPerLane, kPerLane));
  add("pack_bf16", bf16_pairs,
      run<ptx_pack_bf16>(conversion_inputs("pack_bf16", 64 * kPerLane), 32 * kPerLane, kPerLane));
  outputs.push_back(mma_output<float>("mma_tile tf32", 0xffffe000u));
  outputs.push_back(mma_output<float>("mma_tile tf32, operands not rounded", 0xffffffffu));
  outputs.push_back(mma_output<bf16>("mma_tile bf16", 0));
  add("warp_sum", exact, run<ptx_warp_sum>(floats("warp_sum", 128), 128));
  Words candidates = floats("warp_max", 128);
  candidates[40] = 0x7f800000u;  // infinity in the second group; the third is all -infinity
  for (std::size_t i = 64; i < 96; ++i) candidates[i] = 0xff800000u;
  add("warp_max", exact, run<ptx_warp_max>(candidates, 128));
  return outputs;
}

int disagreements(const PtxOutput& output, const std::vector<std::uint32_t>& other) {
  if (other.size() != output.words.size()) return static_cast<int>(output.words.size());
  const auto is_nan = [](std::uint32_t half) { return (half & 0x7fffu) > 0x7f80u; };
  const auto same_bf16 = [&](std::uint32_t a, std::uint32_t b) { return a == b || (is_nan(a) && is_nan(b)); };
  int count = 0;
  for (std::size_t i = 0; i < other.size(); ++i) {
    const std::uint32_t a = output.words[i];
    const std::uint32_t b = other[i];
    bool agrees = a == b;
    if (output.agreement == PtxOutput::Agreement::f32) {
      agrees = agrees || (std::isnan(std::bit_cast<float>(a)) && std::isnan(std::bit_cast<float>(b)));
    } else if (output.agreement == PtxOutput::Agreement::bf16_pairs) {
      agrees = same_bf16(a & 0xffffu, b & 0xffffu) && same_bf16(a >> 16, b >> 16);
    } else if (output.agreement == PtxOutput::Agreement::sums) {
      const double difference = static_cast<double>(std::bit_cast<float>(a)) - std::bit_cast<float>(b);
      agrees = std::abs(difference) <= 2 * 0x1p-23 * std::bit_cast<float>(output.magnitudes[i]);
    }
    count += agrees ? 0 : 1;
  }
  return count;
}

}  // namespace minception::cuda
