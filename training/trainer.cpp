#include <minception/core/error.h>
#include <minception/data/epoch_order.h>
#include <minception/training/trainer.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

namespace minception {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

Trainer::Trainer(Network& network, const ResidentDataset& train, const ResidentDataset& test,
                 const TrainerOptions& options)
    : network_(network), train_(train), test_(test), options_(options) {
  require(options.epochs >= 1, "training for ", options.epochs, " epochs: at least 1 is needed");
  require(options.batch_size >= 1 && options.batch_size <= network.options().max_batch, "a batch size of ",
          options.batch_size, ": the network was planned for 1 to ", network.options().max_batch);
}

std::int64_t Trainer::steps_per_epoch() const {
  return (train_.images.n() + options_.batch_size - 1) / options_.batch_size;
}

EpochMetrics Trainer::run_epoch(std::int64_t epoch, const std::function<void(const TrainerProgress&)>& report) {
  constexpr std::int64_t kStepsPerReport = 10;  // totals stay on the device in between
  const Clock::time_point start = Clock::now();
  const std::int64_t count = train_.images.n();
  const std::int64_t total_steps = options_.epochs * steps_per_epoch();
  EpochMetrics metrics{.epoch = epoch, .step = (epoch - 1) * steps_per_epoch()};
  TrainerProgress progress{.epoch = epoch, .total = count};
  Totals sums;
  std::vector<std::int32_t> indices;

  network_.set_dataset(Mode::training, train_);
  network_.reset_totals();
  for (std::int64_t position = 0; position < count; position += options_.batch_size) {
    const std::int64_t batch = std::min(options_.batch_size, count - position);
    indices.resize(static_cast<std::size_t>(batch));
    for (std::int64_t i = 0; i < batch; ++i) {
      indices[static_cast<std::size_t>(i)] =
          static_cast<std::int32_t>(sample_order(options_.seed, epoch, count, options_.shuffle, position + i));
    }
    const ScheduleValues values = options_.schedule.at(metrics.step, total_steps);
    network_.set_indices(indices);
    network_.set_control(epoch, position, static_cast<float>(values.learning_rate),
                         static_cast<float>(values.momentum));
    network_.train_step(batch);
    ++metrics.step;
    metrics.learning_rate = values.learning_rate;
    progress.done = position + batch;
    if (metrics.step % kStepsPerReport == 0 || progress.done == count) {
      const Totals part = network_.totals();
      network_.reset_totals();
      sums.loss += part.loss;
      sums.correct += part.correct;
      progress.loss = sums.loss / static_cast<double>(progress.done);
      progress.accuracy = sums.correct / static_cast<double>(progress.done);
      if (report) report(progress);
    }
  }
  metrics.train_loss = progress.loss;
  metrics.train_accuracy = progress.accuracy;
  metrics.examples_per_second = static_cast<double>(count) / seconds_since(start);

  const Evaluation test = evaluate(test_, report);
  metrics.test_loss = test.loss;
  metrics.test_accuracy = test.accuracy;
  metrics.seconds = seconds_since(start);
  return metrics;
}

Trainer::Evaluation Trainer::evaluate(const ResidentDataset& dataset,
                                      const std::function<void(const TrainerProgress&)>& report) {
  const std::int64_t count = dataset.images.n();
  const std::int64_t max_batch = network_.options().max_batch;
  TrainerProgress progress{.testing = true, .total = count};
  Totals sums;
  network_.set_dataset(Mode::inference, dataset);
  std::vector<std::int32_t> indices;
  for (std::int64_t position = 0; position < count; position += max_batch) {
    const std::int64_t batch = std::min(max_batch, count - position);
    indices.resize(static_cast<std::size_t>(batch));
    std::iota(indices.begin(), indices.end(), static_cast<std::int32_t>(position));
    network_.set_indices(indices);
    network_.reset_totals();
    network_.infer(batch);
    const Totals part = network_.totals();
    sums.loss += part.loss;
    sums.correct += part.correct;
    progress.done = position + batch;
    progress.loss = sums.loss / static_cast<double>(progress.done);
    progress.accuracy = sums.correct / static_cast<double>(progress.done);
    if (report) report(progress);
  }
  network_.reset_totals();
  return {progress.loss, progress.accuracy};
}

}  // namespace minception
