#pragma once
/// Trains a network, epoch by epoch, and can stop and go on between any two steps.

#include <minception/models/network.h>
#include <minception/training/feed.h>
#include <minception/training/metrics.h>
#include <minception/training/schedule.h>
#include <minception/training/watch.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace minception {

struct TrainerOptions {
  std::int64_t epochs = 10;
  std::int64_t steps = 0;         ///< where above 0: the training ends after so many, within an epoch perhaps
  std::int64_t batch_size = 128;  ///< samples of one pass through the network
  std::int64_t accumulate = 1;    ///< passes whose gradients make one step: of the mean loss of all their samples
  std::uint64_t seed = 1;         ///< of the order of samples
  bool shuffle = true;
  const ClassBalance* balance = nullptr;  ///< where set: the samples of an epoch; outlives the trainer
  Schedule schedule;
  std::int64_t steps_per_line = 10;  ///< between two StepMetrics; totals stay on the device in between
  bool check_every_step = false;     ///< look at all that every operation writes: slow, but the first step is caught
};

/// Where a training stands: what a checkpoint keeps besides the tensors.
struct TrainerState {
  std::int64_t epoch = 1;          ///< the one that runs
  std::int64_t position = 0;       ///< samples of it that were trained on; all of them: it waits for `finish_epoch`
  std::int64_t step = 0;           ///< optimizer steps since the start
  Totals epoch_sums;               ///< of this epoch, up to the last line
  double seconds = 0.0;            ///< of training in this epoch
  std::int64_t line_position = 0;  ///< where in the epoch the last line was written
  std::vector<Totals> on_device;   ///< since then, per head
  std::int64_t plateau_steps = 0;
};

/// How far an epoch is.
struct TrainerProgress {
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t done = 0;   ///< samples
  std::int64_t total = 0;
  double loss = 0.0;  ///< mean so far
  double accuracy = 0.0;
};

/// What a trainer tells while it runs. All optional.
struct TrainerHooks {
  std::function<void(const TrainerProgress&)> progress;
  std::function<void(const StepMetrics&)> line;
  std::function<void(const Notice&)> notice;
  /// Called between steps, when the trainer's `state` can be saved. Returns false to stop.
  std::function<bool()> after_step;
};

class Trainer {
 public:
  /// The network was made with data sets in mind (NetworkOptions::dataset_image). `network` and `feed` outlive the
  /// trainer. Throws Error for options that cannot be, and where a batch gives a BatchNorm a single value per channel.
  Trainer(Network& network, Feed& feed, const TrainerOptions& options);

  /// Samples of an epoch: `samples`, but one less where the last one would be a batch by itself that a BatchNorm cannot
  /// train on. Which sample is passed over follows from the order of the epoch.
  static std::int64_t samples_per_epoch(const Network& network, std::int64_t samples, std::int64_t batch_size);

  std::int64_t steps_per_epoch() const;
  std::int64_t total_steps() const;
  /// Optimizer steps since the start.
  std::int64_t step() const { return state_.step; }
  std::int64_t samples() const { return samples_; }  ///< of an epoch
  bool finished() const { return state_.epoch > options_.epochs || steps_done(); }
  /// Samples of the epoch that are still to be trained on.
  bool epoch_trained() const { return state_.position == samples_; }

  /// Trains on what is left of the epoch, the last partial batch included, or up to the last step. Returns false if
  /// `after_step` stopped it.
  /// Throws Error, naming the step and the layer, when loss, gradients or weights are no longer finite; the network
  /// then holds the state of a step shortly before.
  bool train_epoch(const TrainerHooks& hooks = {});
  /// The line of a trained epoch, without its test; the next epoch begins.
  EpochMetrics finish_epoch();

  /// To be saved together with the network's tensors, and to go on from; with the same tensors the bits that follow are
  /// the same as if it had never stopped.
  TrainerState state() const;
  void set_state(const TrainerState& state);

 private:
  /// The samples of a step, or of one of its passes.
  struct Batch {
    std::int64_t epoch, position, size, step;
  };
  void check_batch_norms() const;
  std::int64_t samples_per_step() const { return options_.batch_size * options_.accumulate; }
  bool steps_done() const { return options_.steps > 0 && state_.step >= options_.steps; }
  Batch next_batch() const;
  template <class F>
  void for_each_pass(const Batch& batch, F&& f);
  void feed_from(std::int64_t position);
  void prepare(const Batch& batch);
  void checked_step(const Batch& batch, const TrainerHooks& hooks);
  void checked_update(const Batch& batch, const TrainerHooks& hooks);
  void write_line(const TrainerHooks& hooks, double learning_rate, double momentum);
  [[noreturn]] void explain_not_finite(const TrainerHooks& hooks);
  [[noreturn]] void fail_not_finite(const TrainerHooks& hooks, const Batch& batch, const std::string& where);

  Network& network_;
  Feed& feed_;
  TrainerOptions options_;
  std::int64_t samples_;  // of an epoch
  TrainerState state_;
  NetworkWatch watch_;
  PlateauWatch plateau_;
  std::chrono::steady_clock::time_point line_start_;
  std::int64_t timed_from_ = 0;  // position at line_start_
  TrainerState remembered_;      // with what `watch_` remembers
};

}  // namespace minception
