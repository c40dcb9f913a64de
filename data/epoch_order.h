#pragma once
/// Which sample comes when: the order of an epoch is computed, not stored, so a resumed run, another batch
/// size or a second process sees the same samples in the same places.

#include <cstdint>
#include <span>
#include <vector>

namespace minception {

/// The upper half of the random streams that order samples; the lower half is the epoch. Dropout takes its
/// stream numbers from below 2^31 in the same place, so the two never meet.
inline constexpr std::uint64_t kSampleOrderStream = 0xda7a0001;

/// The index of the sample at `position` of `epoch`: a pseudo-random permutation of [0, count) that differs
/// from epoch to epoch, or `position` itself without `shuffle`. A pure function of its arguments. Throws
/// Error unless 0 <= position < count <= 2^32 and 0 <= epoch < 2^32.
std::int64_t sample_order(std::uint64_t seed, std::int64_t epoch, std::int64_t count, bool shuffle,
                          std::int64_t position);

/// Epochs in which every class comes as often as the largest one: smaller classes are gone through again.
class ClassBalance {
 public:
  /// Throws Error for a label outside of [0, classes) and for a class without samples.
  ClassBalance(std::span<const std::int32_t> labels, std::int64_t classes);

  /// Samples of an epoch: the size of the largest class, for each class.
  std::int64_t size() const { return largest_ * static_cast<std::int64_t>(samples_.size()); }
  /// The sample for each `place` in [0, size()). A class goes on in the next epoch where this one ends, so that all of its
  /// samples come equally often.
  std::int64_t sample(std::int64_t epoch, std::int64_t place) const;

 private:
  std::vector<std::vector<std::int64_t>> samples_;  // of each class
  std::int64_t largest_ = 0;
};

}  // namespace minception
