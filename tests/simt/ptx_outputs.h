#pragma once
/// Outputs of the wrappers of kernels/cuda/ptx.h for fixed pseudo-random inputs. ptx_record writes the outputs of a GPU
/// to the golden file; test_ptx_golden.cpp compares the outputs of the emulation with it.

#include <cstdint>
#include <string>
#include <vector>

namespace minception::cuda {

inline constexpr std::uint64_t kPtxSeed = 20260101;

struct PtxOutput {
  /// How closely two executions must agree.
  enum class Agreement : std::uint8_t {
    exact,       ///< bit for bit
    f32,         ///< bit for bit, except that all NaNs are equal
    bf16_pairs,  ///< the same for pairs of bf16
    sums,        ///< floats, up to unspecified rounding
  };
  std::string name;
  Agreement agreement;
  std::vector<std::uint32_t> words;
  std::vector<std::uint32_t> magnitudes;  ///< for `sums`: the sums of the magnitudes of the terms, as floats
};

std::vector<PtxOutput> ptx_outputs();

/// Number of words of `other` that do not agree with `output`. Sums may differ by 2 units in the last place of the
/// magnitude: 2 * 2^-23 * (|c| + sum of |a| * |b|).
int disagreements(const PtxOutput& output, const std::vector<std::uint32_t>& other);

}  // namespace minception::cuda
