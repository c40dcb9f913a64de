#pragma once
/// Which sample comes when: the order of an epoch is computed, not stored, so a resumed run, another batch
/// size or a second process sees the same samples in the same places.

#include <cstdint>

namespace minception {

/// The upper half of the random streams that order samples; the lower half is the epoch. Dropout takes its
/// stream numbers from below 2^31 in the same place, so the two never meet.
inline constexpr std::uint64_t kSampleOrderStream = 0xda7a0001;

/// The index of the sample at `position` of `epoch`: a pseudo-random permutation of [0, count) that differs
/// from epoch to epoch, or `position` itself without `shuffle`. A pure function of its arguments. Throws
/// Error unless 0 <= position < count <= 2^32 and 0 <= epoch < 2^32.
std::int64_t sample_order(std::uint64_t seed, std::int64_t epoch, std::int64_t count, bool shuffle,
                          std::int64_t position);

}  // namespace minception
