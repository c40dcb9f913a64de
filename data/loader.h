#pragma once
/// The prefetching loader: threads read samples ahead of training into a bounded queue of batches. Which sample stands
/// where depends on seed, epoch and position alone, never on the threads.

#include <minception/core/shape.h>
#include <minception/data/epoch_order.h>
#include <minception/data/image_dataset.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace minception {

/// Samples that can be read one by one, from several threads at once.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual std::int64_t size() const = 0;
  /// (C, H, W) of every image.
  virtual const Shape& image() const = 0;
  /// Writes the pixels (H, W, C) of sample `index` and returns its label. Throws Error if it cannot be read.
  virtual std::int32_t read(std::int64_t index, std::span<std::uint8_t> pixels) const = 0;
};

/// Samples in host memory. `dataset` outlives the source.
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
struct PassOrder {
  std::int64_t batch_size = 1;  ///< the last batch is what is left
  bool shuffle = false;         ///< false: in the data set's own order
  std::uint64_t seed = 1;
  std::int64_t epoch = 0;
  std::int64_t position = 0;              ///< where the pass begins: 0, or where one was left
  const ClassBalance* balance = nullptr;  ///< where set: says which samples the pass has; outlives it

  /// Samples of a pass over a data set of `count`.
  std::int64_t size(std::int64_t count) const { return balance == nullptr ? count : balance->size(); }
  /// The sample at a position of the pass.
  std::int64_t sample(std::int64_t count, std::int64_t at) const {
    const std::int64_t place = sample_order(seed, epoch, size(count), shuffle, at);
    return balance == nullptr ? place : balance->sample(epoch, place);
  }
};

/// Samples in host memory, as they lie in a data set.
struct LoadedBatch {
  std::int64_t position = 0;         ///< of the first sample, in the pass
  std::vector<std::uint8_t> pixels;  ///< (n, H, W, C)
  std::vector<std::int32_t> labels;  ///< n
  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
};

struct LoaderOptions {
  int threads = 1;             ///< at least 1
  std::size_t most_ahead = 4;  ///< batches that wait at most; memory is bounded by these and one per thread
};

/// Reads one pass. Its threads end with it, also in the middle of a pass.
class Loader {
 public:
  /// `source` outlives the loader.
  Loader(const SampleSource& source, const PassOrder& order, const LoaderOptions& options = {});
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  /// The next batch in order, or nullptr after the last; it stays valid until the next call. Throws the Error that
  /// reading one of its samples threw; the call after that goes on with the batch behind it.
  const LoadedBatch* next();
  /// Seconds that `next` has waited for batches that were not ready, in all.
  double seconds_waited() const;

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace minception
