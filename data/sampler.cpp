#include "data/sampler.h"
#include "core/error.h"
#include "core/random.h"

#include <algorithm>
#include <iterator>

namespace minception {

std::int64_t sample_order(std::uint64_t seed, std::int64_t epoch, std::int64_t count, bool shuffle,
                          std::int64_t position) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 32;
  require(0 <= position && position < count && count <= kLimit, "position ", position, " of ", count,
          " samples does not exist: an epoch has at most 2^32 samples, counted from 0");
  require(0 <= epoch && epoch < kLimit, "epoch ", epoch, " does not exist: epochs are counted from 0 to 2^32 - 1");
  if (!shuffle) return position;
  const Random random{seed, kSampleOrderStream << 32 | static_cast<std::uint64_t>(epoch)};
  return static_cast<std::int64_t>(
      permuted(random, static_cast<std::uint64_t>(count), static_cast<std::uint64_t>(position)));
}

ClassBalance::ClassBalance(std::span<const std::int32_t> labels, std::int64_t classes)
    : samples_(static_cast<std::size_t>(classes)) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    require(labels[i] >= 0 && labels[i] < classes, "sample ", i, " has the label ", labels[i],
            "; the classes are 0 to ", classes - 1);
    samples_[static_cast<std::size_t>(labels[i])].push_back(static_cast<std::int64_t>(i));
  }
  for (std::size_t c = 0; c < samples_.size(); ++c) {
    require(!samples_[c].empty(), "class ", c, " has no samples, so the classes cannot be balanced");
    largest_ = std::max(largest_, std::ssize(samples_[c]));
  }
}

std::int64_t ClassBalance::sample(std::int64_t epoch, std::int64_t place) const {
  const std::int64_t classes = std::ssize(samples_);
  require(0 <= place && place < size(), "place ", place, " of ", size(), " does not exist");
  const std::vector<std::int64_t>& of_class = samples_[static_cast<std::size_t>(place % classes)];
  return of_class[static_cast<std::size_t>((epoch * largest_ + place / classes) % std::ssize(of_class))];
}

}  // namespace minception
