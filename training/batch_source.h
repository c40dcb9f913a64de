#pragma once
/// Batch sources: deliver the samples of each batch to the network's first operation. The order depends only on seed,
/// epoch and position (data/sampler.h), so every batch source gives the same training.

#include "data/loader.h"
#include "models/network.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace minception {

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;

  /// Number of samples in an epoch.
  virtual std::int64_t size() const = 0;
  /// Starts a pass: its batches from `order.position` on go to `network` in this mode.
  virtual void start(Network& network, Mode mode, const Sampler& order) = 0;
  /// Makes the next `batch` samples of the pass the input of the next run.
  virtual void next(std::int64_t batch) = 0;
  /// Seconds spent in `next` waiting for samples, over all passes so far; 0 for resident sources.
  virtual double seconds_waited() const { return 0.0; }
};

/// The whole data set is resident on the device: only indices are transferred.
class ResidentBatchSource final : public BatchSource {
 public:
  explicit ResidentBatchSource(const ResidentDataset& dataset) : dataset_(dataset) {}
  std::int64_t size() const override { return dataset_.images.n(); }
  void start(Network& network, Mode mode, const Sampler& order) override;
  void next(std::int64_t batch) override;

 private:
  const ResidentDataset& dataset_;
  Network* network_ = nullptr;
  Sampler order_;
  std::vector<std::int32_t> indices_;
};

/// Samples stay in host memory or on disk: threads load them ahead, and each batch is copied to the device.
class StreamingBatchSource final : public BatchSource {
 public:
  /// `source` must outlive the batch source.
  StreamingBatchSource(const SampleSource& source, int threads) : source_(source), threads_(threads) {}
  std::int64_t size() const override { return source_.size(); }
  void start(Network& network, Mode mode, const Sampler& order) override;
  void next(std::int64_t batch) override;
  double seconds_waited() const override { return waited_before_ + (loader_ ? loader_->seconds_waited() : 0.0); }

 private:
  const SampleSource& source_;
  int threads_;
  double waited_before_ = 0.0;  // in completed passes
  Network* network_ = nullptr;
  ResidentDataset slot_;  // device memory for one batch
  std::optional<Loader> loader_;
};

}  // namespace minception
