#pragma once
/// Brings the samples of each batch to where the first operation of a network reads them. The order is a function of seed,
/// epoch and position alone (data/epoch_order.h): every feed gives the same training.

#include <minception/data/loader.h>
#include <minception/models/network.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace minception {

class Feed {
 public:
  virtual ~Feed() = default;
  Feed() = default;
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  /// Samples of an epoch.
  virtual std::int64_t size() const = 0;
  /// What follows: the batches of this pass, from `order.position` on, go to `network` in this mode.
  virtual void start(Network& network, Mode mode, const PassOrder& order) = 0;
  /// Makes the next `batch` samples those of the next run; they are the next ones of the pass.
  virtual void next(std::int64_t batch) = 0;
  /// Seconds that `next` has waited for samples that were not ready, in all passes so far; 0 where nothing is waited for.
  virtual double seconds_waited() const { return 0.0; }
};

/// Samples that lie on the device, all of them: only indices travel.
class ResidentFeed final : public Feed {
 public:
  explicit ResidentFeed(const ResidentDataset& dataset) : dataset_(dataset) {}
  std::int64_t size() const override { return dataset_.images.n(); }
  void start(Network& network, Mode mode, const PassOrder& order) override;
  void next(std::int64_t batch) override;

 private:
  const ResidentDataset& dataset_;
  Network* network_ = nullptr;
  PassOrder order_;
  std::vector<std::int32_t> indices_;
};

/// Samples that stay in host memory or on disk: threads bring them ahead of time, a copy puts each batch on the device.
class StreamedFeed final : public Feed {
 public:
  /// `source` outlives the feed.
  StreamedFeed(const SampleSource& source, int threads) : source_(source), threads_(threads) {}
  std::int64_t size() const override { return source_.size(); }
  void start(Network& network, Mode mode, const PassOrder& order) override;
  void next(std::int64_t batch) override;
  double seconds_waited() const override { return waited_before_ + (loader_ ? loader_->seconds_waited() : 0.0); }

 private:
  const SampleSource& source_;
  int threads_;
  double waited_before_ = 0.0;  // in passes that are over
  Network* network_ = nullptr;
  ResidentDataset slot_;  // one batch on the device
  std::optional<Loader> loader_;
};

}  // namespace minception
