#pragma once
/// Prefetching loader: threads read samples ahead of training into a bounded queue of batches. The order of samples
/// depends only on seed, epoch and position, not on the threads.

#include "core/shape.h"
#include "data/image_dataset.h"
#include "data/sampler.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace minception {

/// Random access to samples; `read` is called from several threads at once.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual std::int64_t size() const = 0;
  /// (C, H, W) of every image.
  virtual const Shape& image() const = 0;
  /// Writes the pixels (H, W, C) of sample `index` and returns its label. Throws Error if it cannot be read.
  virtual std::int32_t read(std::int64_t index, std::span<std::uint8_t> pixels) const = 0;
};

/// Samples in host memory. `dataset` must outlive the source.
class MemorySource final : public SampleSource {
 public:
  explicit MemorySource(const ImageDataset& dataset) : dataset_(dataset) {}
  std::int64_t size() const override { return dataset_.size(); }
  const Shape& image() const override { return dataset_.image; }
  std::int32_t read(std::int64_t index, std::span<std::uint8_t> pixels) const override;

 private:
  const ImageDataset& dataset_;
};

/// One pass over a data set: an epoch of training, or a test.
struct Sampler {
  std::int64_t batch_size = 1;  ///< the last batch may be smaller
  bool shuffle = false;         ///< false: in the data set's own order
  std::uint64_t seed = 1;
  std::int64_t epoch = 0;
  std::int64_t position = 0;              ///< first position: 0, or where an interrupted pass stopped
  const ClassBalance* balance = nullptr;  ///< optional: selects the samples; must outlive the sampler

  /// Number of samples in a pass over a data set of `count` samples.
  std::int64_t size(std::int64_t count) const { return balance == nullptr ? count : balance->size(); }
  /// Index of the sample at position `at` of the pass.
  std::int64_t sample(std::int64_t count, std::int64_t at) const {
    const std::int64_t place = sample_order(seed, epoch, size(count), shuffle, at);
    return balance == nullptr ? place : balance->sample(epoch, place);
  }
};

/// A batch in host memory, in the layout of ImageDataset.
struct LoadedBatch {
  std::int64_t position = 0;         ///< of the first sample in the pass
  std::vector<std::uint8_t> pixels;  ///< (n, H, W, C)
  std::vector<std::int32_t> labels;  ///< n
  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
};

struct LoaderOptions {
  int threads = 1;             ///< at least 1
  std::size_t most_ahead = 4;  ///< maximum waiting batches; memory holds these and one per thread
};

/// Reads one pass. The destructor stops the threads, also in the middle of a pass.
class Loader {
 public:
  /// `source` must outlive the loader.
  Loader(const SampleSource& source, const Sampler& order, const LoaderOptions& options = {});
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  /// The next batch in order, or nullptr after the last; valid until the next call. Rethrows an exception from reading
  /// one of its samples; the call after that returns the following batch.
  const LoadedBatch* next();
  /// Total seconds that `next` has waited for batches.
  double seconds_waited() const;

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace minception
