#include <minception/core/error.h>
#include <minception/core/random.h>
#include <minception/data/epoch_order.h>

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

}  // namespace minception
