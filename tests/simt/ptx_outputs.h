#pragma once
/// What the wrappers of kernels/cuda/ptx.h give for fixed pseudo-random inputs: on a GPU when the golden file is recorded
/// (ptx_record), under emulation when it is compared with (test_ptx_golden.cpp).

#include <cstdint>
#include <string>
#include <vector>

namespace minception::cuda {

inline constexpr std::uint64_t kPtxSeed = 20260101;

struct PtxOutput {
  /// How closely two executions agree.
  enum class Agreement : std::uint8_t {
    exact,       ///< bit for bit
    bf16_pairs,  ///< bit for bit, but any NaN is as good as another
    sums,        ///< floats, up to a rounding that is not specified
  };
  std::string name;
  Agreement agreement;
  std::vector<std::uint32_t> words;
  std::vector<std::uint32_t> magnitudes;  ///< of sums: as floats, the sums of the magnitudes of what was added
};

std::vector<PtxOutput> ptx_outputs();

/// How many words of `other` do not agree with `output`. Of sums a word may be off by 2 units in the last place of its
/// magnitude: 2 * 2^-23 * (|c| + sum of |a| * |b|).
int disagreements(const PtxOutput& output, const std::vector<std::uint32_t>& other);

}  // namespace minception::cuda
