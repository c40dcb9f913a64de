#pragma once
/// Sample order. It is computed, not stored, so that a resumed run, another batch size or a second process uses the
/// same samples at the same positions.

#include <cstdint>
#include <span>
#include <vector>

namespace minception {

/// Upper 32 bits of the random stream of the sample order; the lower 32 bits are the epoch. Dropout uses values below
/// 2^31 in the upper bits, so the streams are distinct.
inline constexpr std::uint64_t kSampleOrderStream = 0xda7a0001;

/// Index of the sample at `position` of `epoch`: a pseudo-random permutation of [0, count) that differs between epochs,
/// or `position` itself without `shuffle`. A pure function. Throws Error unless 0 <= position < count <= 2^32 and
/// 0 <= epoch < 2^32.
std::int64_t sample_order(std::uint64_t seed, std::int64_t epoch, std::int64_t count, bool shuffle,
                          std::int64_t position);

/// Class-balanced epochs: samples of smaller classes are repeated until every class has as many as the largest.
class ClassBalance {
 public:
  /// Throws Error for a label outside [0, classes) and for a class without samples.
  ClassBalance(std::span<const std::int32_t> labels, std::int64_t classes);

  /// Samples per epoch: number of classes times the size of the largest class.
  std::int64_t size() const { return largest_ * static_cast<std::int64_t>(samples_.size()); }
  /// The sample at `place` in [0, size()). In each epoch a class continues where the previous epoch ended, so that all
  /// of its samples are used equally often.
  std::int64_t sample(std::int64_t epoch, std::int64_t place) const;

 private:
  std::vector<std::vector<std::int64_t>> samples_;  // per class
  std::int64_t largest_ = 0;
};

}  // namespace minception
