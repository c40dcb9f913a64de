#pragma once
/// Trains a network epoch by epoch; can stop and resume between any two steps.

#include "models/network.h"
#include "training/batch_source.h"
#include "training/metrics.h"
#include "training/schedule.h"
#include "training/watch.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace minception {

struct TrainerOptions {
  std::int64_t epochs = 10;
  std::int64_t steps = 0;         ///< > 0: end after this many steps, possibly within an epoch
  std::int64_t batch_size = 128;  ///< samples per pass through the network
  std::int64_t accumulate = 1;    ///< passes per step: the gradient is that of the mean loss over all their samples
  std::uint64_t seed = 1;         ///< seed of the sample order
  bool shuffle = true;
  const ClassBalance* balance = nullptr;  ///< if set: selects the samples of an epoch; must outlive the trainer
  Schedule schedule;
  std::int64_t steps_per_line = 10;  ///< steps between two StepMetrics; metrics stay on the device in between
  bool check_every_step = false;     ///< check all outputs of every operation: slow, but finds the first bad step
};

/// Position of a training: what a checkpoint keeps in addition to the tensors.
struct TrainerState {
  std::int64_t epoch = 1;              ///< current epoch
  std::int64_t position = 0;           ///< samples of it trained so far; if all: ready for `finish_epoch`
  std::int64_t step = 0;               ///< optimizer steps since the start
  LossMetrics epoch_sums;              ///< of this epoch, up to the last line
  double seconds = 0.0;                ///< training time of this epoch
  std::int64_t line_position = 0;      ///< position in the epoch at the last line
  std::vector<LossMetrics> on_device;  ///< since the last line, per head
  LossWatch::State loss_watch;
};

/// Progress within an epoch.
struct TrainerProgress {
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t done = 0;   ///< samples
  std::int64_t total = 0;
  double loss = 0.0;  ///< mean so far
  double accuracy = 0.0;
};

/// Callbacks of a trainer; all optional.
struct TrainerHooks {
  std::function<void(const TrainerProgress&)> progress;
  std::function<void(const StepMetrics&)> line;
  std::function<void(const Notice&)> notice;
  /// Called between steps, when `state` can be saved. Returns false to stop.
  std::function<bool()> after_step;
};

class Trainer {
 public:
  /// The network must be made for data sets (NetworkOptions::dataset_image). `network` and `feed` must outlive the
  /// trainer. Throws Error for invalid options, and if a batch gives a BatchNorm a single value per channel.
  Trainer(Network& network, BatchSource& feed, const TrainerOptions& options);

  /// Samples per epoch: `samples`, or one less if the last sample would form a batch that a BatchNorm cannot train on.
  /// The order of the epoch determines the omitted sample.
  static std::int64_t samples_per_epoch(const Network& network, std::int64_t samples, std::int64_t batch_size);

  std::int64_t steps_per_epoch() const;
  std::int64_t total_steps() const;
  /// Optimizer steps since the start.
  std::int64_t step() const { return state_.step; }
  std::int64_t samples() const { return samples_; }  ///< per epoch
  bool finished() const { return state_.epoch > options_.epochs || steps_done(); }
  /// Whether all samples of the epoch were trained on.
  bool epoch_trained() const { return state_.position == samples_; }

  /// Trains on the rest of the epoch, including the last partial batch, or up to the last step. Returns false if
  /// `after_step` stopped it. Throws Error, naming step and layer, if loss, gradients or weights are not finite; the
  /// network then holds the state of a recent earlier step.
  bool train_epoch(const TrainerHooks& hooks = {});
  /// Returns the metrics of a trained epoch without its evaluation, and starts the next epoch.
  EpochMetrics finish_epoch();

  /// State to save with the network's tensors. Resuming from both gives the same bits as an uninterrupted training.
  TrainerState state() const;
  void set_state(const TrainerState& state);

 private:
  /// Samples of a step or of one of its passes.
  struct Batch {
    std::int64_t epoch, position, size, step;
  };
  void check_batch_norms() const;
  ScheduleValues schedule_at(std::int64_t step) const {
    return options_.schedule.at(step, total_steps(), network_.options().optimizer);
  }
  std::int64_t samples_per_step() const { return options_.batch_size * options_.accumulate; }
  bool steps_done() const { return options_.steps > 0 && state_.step >= options_.steps; }
  Batch next_batch() const;
  template <class F>
  void for_each_pass(const Batch& batch, F&& f);
  void batch_source_from(std::int64_t position);
  void prepare(const Batch& batch);
  void checked_step(const Batch& batch, const TrainerHooks& hooks);
  void checked_update(const Batch& batch, const TrainerHooks& hooks);
  void write_line(const TrainerHooks& hooks, double learning_rate, double momentum);
  [[noreturn]] void explain_not_finite(const TrainerHooks& hooks);
  [[noreturn]] void fail_not_finite(const TrainerHooks& hooks, const Batch& batch, const std::string& where);

  Network& network_;
  BatchSource& feed_;
  TrainerOptions options_;
  std::int64_t samples_;  // per epoch
  TrainerState state_;
  NetworkWatch watch_;
  LossWatch loss_watch_;
  std::chrono::steady_clock::time_point line_start_;
  std::int64_t timed_from_ = 0;  // position at line_start_
  TrainerState remembered_;      // state at the last `watch_.remember()`
};

}  // namespace minception
