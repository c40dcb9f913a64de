#pragma once
/// Trains a network on a resident data set, epoch by epoch.

#include <minception/models/network.h>
#include <minception/training/metrics.h>
#include <minception/training/schedule.h>

#include <cstdint>
#include <functional>

namespace minception {

struct TrainerOptions {
  std::int64_t epochs = 10;
  std::int64_t batch_size = 128;
  std::uint64_t seed = 1;  ///< of the order of samples
  bool shuffle = true;
  Schedule schedule;
};

/// How far an epoch or a test is.
struct TrainerProgress {
  bool testing = false;
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t done = 0;   ///< samples
  std::int64_t total = 0;
  double loss = 0.0;  ///< mean so far
  double accuracy = 0.0;
};

class Trainer {
 public:
  /// The network was made with data sets in mind (NetworkOptions::dataset_image); all three outlive the trainer.
  Trainer(Network& network, const ResidentDataset& train, const ResidentDataset& test, const TrainerOptions& options);

  std::int64_t steps_per_epoch() const;

  /// Trains on every sample once, the last partial batch included, then tests. Epochs count from 1.
  EpochMetrics run_epoch(std::int64_t epoch, const std::function<void(const TrainerProgress&)>& report = {});

  struct Evaluation {
    double loss = 0.0;
    double accuracy = 0.0;
  };
  /// Mean loss and accuracy over a data set, with running statistics.
  Evaluation evaluate(const ResidentDataset& dataset, const std::function<void(const TrainerProgress&)>& report = {});

 private:
  Network& network_;
  const ResidentDataset& train_;
  const ResidentDataset& test_;
  TrainerOptions options_;
};

}  // namespace minception
