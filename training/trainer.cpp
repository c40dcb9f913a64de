#include "training/trainer.h"
#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace minception {
namespace {

using Clock = std::chrono::steady_clock;

/// Steps between two copies of the parameters, to return to on error. A copy costs a small fraction of a step.
constexpr std::int64_t kStepsPerCopy = 100;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

Trainer::Trainer(Network& network, BatchSource& feed, const TrainerOptions& options)
    : network_(network),
      feed_(feed),
      options_(options),
      samples_(samples_per_epoch(network, options.balance == nullptr ? feed.size() : options.balance->size(),
                                 std::max<std::int64_t>(options.batch_size, 1))),
      watch_(network),
      loss_watch_(network.model().config, 0) {
  require(options.epochs >= 1, "training for ", options.epochs, " epochs: at least 1 is needed");
  require(options.steps >= 0, "training for ", options.steps, " steps: use 0 (whole epochs) or more");
  require(options.batch_size >= 1 && options.batch_size <= network.options().max_batch, "a batch size of ",
          options.batch_size, ": the network was planned for 1 to ", network.options().max_batch);
  require(options.accumulate >= 1, "gradients of ", options.accumulate, " passes per step: at least 1 is needed");
  require(options.steps_per_line >= 1, "a line every ", options.steps_per_line, " steps: at least 1 is needed");
  options.schedule.at(0, total_steps(), network.options().optimizer);  // validates the schedule
  loss_watch_ = LossWatch(network.model().config, total_steps());
  check_batch_norms();
}

std::int64_t Trainer::samples_per_epoch(const Network& network, std::int64_t samples, std::int64_t batch_size) {
  if (samples <= batch_size || samples % batch_size != 1) return samples;
  try {
    network.plan(Mode::training).check_batch_norms(1);
  } catch (const Error&) {
    return samples - 1;
  }
  return samples;
}

/// All passes have the full batch size, except the last one of an epoch, which has the remaining samples.
void Trainer::check_batch_norms() const {
  const Plan& plan = network_.plan(Mode::training);
  plan.check_batch_norms(std::min(options_.batch_size, samples_));
}

std::int64_t Trainer::steps_per_epoch() const { return (samples_ + samples_per_step() - 1) / samples_per_step(); }

std::int64_t Trainer::total_steps() const {
  const std::int64_t all = options_.epochs * steps_per_epoch();
  return options_.steps > 0 ? std::min(options_.steps, all) : all;
}

Trainer::Batch Trainer::next_batch() const {
  return {.epoch = state_.epoch,
          .position = state_.position,
          .size = std::min(samples_per_step(), samples_ - state_.position),
          .step = state_.step};
}

/// Calls f(batch of the pass, its options) for the passes of a step: the first overwrites the gradients, the others
/// accumulate, the last one updates. Every loss is divided by the samples of the step.
template <class F>
void Trainer::for_each_pass(const Batch& batch, F&& f) {
  for (std::int64_t done = 0; done < batch.size;) {
    const std::int64_t size = std::min(options_.batch_size, batch.size - done);
    const bool whole = size == batch.size;
    f(Batch{.epoch = batch.epoch, .position = batch.position + done, .size = size, .step = batch.step},
      TrainStepOptions{.update = done + size == batch.size,
                       .accumulate = done > 0,
                       .divisor = whole ? 0.0 : static_cast<double>(batch.size)});
    done += size;
  }
}

void Trainer::batch_source_from(std::int64_t position) {
  feed_.start(network_, Mode::training,
              {.batch_size = options_.batch_size,
               .shuffle = options_.shuffle,
               .seed = options_.seed,
               .epoch = state_.epoch,
               .position = position,
               .balance = options_.balance});
}

/// Sets the input and control values of a pass.
void Trainer::prepare(const Batch& batch) {
  const ScheduleValues values = schedule_at(batch.step);
  feed_.next(batch.size);
  network_.set_control(batch.epoch, batch.position, static_cast<float>(values.learning_rate),
                       static_cast<float>(values.momentum), batch.step + 1);
}

bool Trainer::train_epoch(const TrainerHooks& hooks) {
  require(!finished(), "training is complete: it has run ", options_.epochs, " epochs or ", total_steps(), " steps");
  if (epoch_trained()) return true;
  batch_source_from(state_.position);
  if (state_.on_device.empty()) {
    network_.reset_metrics();
  } else {
    network_.set_metrics(state_.on_device);
  }
  watch_.remember();
  remembered_ = state_;
  line_start_ = Clock::now();
  timed_from_ = state_.position;
  while (!epoch_trained() && !steps_done()) {
    const Batch batch = next_batch();
    if (options_.check_every_step) {
      checked_step(batch, hooks);
    } else {
      for_each_pass(batch, [&](const Batch& pass, const TrainStepOptions& step) {
        prepare(pass);
        network_.train_step(pass.size, step);
      });
    }
    state_.position += batch.size;
    ++state_.step;
    if (state_.step % options_.steps_per_line == 0 || epoch_trained() || steps_done()) {
      const ScheduleValues values = schedule_at(batch.step);
      write_line(hooks, values.learning_rate, values.momentum);
    }
    if (state_.step % kStepsPerCopy == 0 && !epoch_trained()) {
      watch_.remember();
      remembered_ = state_;
    }
    if (hooks.after_step && !hooks.after_step()) return false;
  }
  return true;
}

void Trainer::write_line(const TrainerHooks& hooks, double learning_rate, double momentum) {
  const LossMetrics part = network_.metrics();  // synchronizes with the device
  const double seconds = seconds_since(line_start_);
  const auto samples = static_cast<double>(state_.position - state_.line_position);
  const NetworkWatch::Norms gradients = watch_.gradient_norms();
  const bool last = epoch_trained() || steps_done();  // no later step would detect NaN from the last update
  if (!std::isfinite(part.loss) || !gradients.not_finite.empty() ||
      (last && !watch_.parameter_norms().not_finite.empty())) {
    explain_not_finite(hooks);
  }
  std::vector<StepMetrics::Auxiliary> auxiliary;
  for (std::size_t j = 0; j < network_.model().auxiliary.size(); ++j) {
    const LossMetrics metrics = network_.metrics(j + 1);
    auxiliary.push_back({network_.model().auxiliary[j].name, metrics.loss / samples, metrics.correct / samples});
  }
  network_.reset_metrics();
  state_.epoch_sums.loss += part.loss;
  state_.epoch_sums.correct += part.correct;
  state_.seconds += seconds;

  const StepMetrics line = {.epoch = state_.epoch,
                            .step = state_.step,
                            .learning_rate = learning_rate,
                            .momentum = momentum,
                            .loss = part.loss / samples,
                            .accuracy = part.correct / samples,
                            .examples_per_second = static_cast<double>(state_.position - timed_from_) / seconds,
                            .gradient_norm = gradients.all,
                            .gradient_norms = gradients.layers,
                            .auxiliary = auxiliary};
  const std::int64_t steps = (state_.position - state_.line_position + samples_per_step() - 1) / samples_per_step();
  state_.line_position = state_.position;
  const std::optional<std::string> problem = loss_watch_.add(line.loss, steps);
  if (hooks.line) hooks.line(line);
  if (problem && hooks.notice) hooks.notice({.epoch = state_.epoch, .step = state_.step, .text = *problem});
  if (hooks.progress) {
    const auto done = static_cast<double>(state_.position);
    hooks.progress({.epoch = state_.epoch,
                    .done = state_.position,
                    .total = samples_,
                    .loss = state_.epoch_sums.loss / done,
                    .accuracy = state_.epoch_sums.correct / done});
  }
  line_start_ = Clock::now();
  timed_from_ = state_.position;
}

/// One step that checks the outputs of every operation.
void Trainer::checked_step(const Batch& batch, const TrainerHooks& hooks) {
  for_each_pass(batch, [&](const Batch& pass, const TrainStepOptions& step) {
    prepare(pass);
    const std::string where = watch_.find_not_finite(pass.size, step);
    if (!where.empty()) fail_not_finite(hooks, batch, where);
  });
  checked_update(batch, hooks);
}

void Trainer::checked_update(const Batch& batch, const TrainerHooks& hooks) {
  // The update is independent of the batch, and the plan is bound for at most batch_size samples.
  network_.run(Mode::training, std::min(batch.size, options_.batch_size), Phase::update);
  const std::string parameter = watch_.parameter_norms().not_finite;
  if (!parameter.empty()) {
    fail_not_finite(hooks, batch, concat("update of ", parameter, ": the new weights are not finite"));
  }
}

/// Repeats the steps since the last copy one by one, with the same bits, and locates the first bad operation.
void Trainer::explain_not_finite(const TrainerHooks& hooks) {
  const std::int64_t end = state_.step;
  watch_.go_back();
  state_ = remembered_;
  batch_source_from(state_.position);
  while (state_.step < end) {
    const Batch batch = next_batch();
    for_each_pass(batch, [&](const Batch& pass, TrainStepOptions step) {
      prepare(pass);
      network_.reset_metrics();
      step.update = false;
      network_.train_step(pass.size, step);
      if (std::isfinite(network_.metrics().loss) && watch_.gradient_norms().not_finite.empty()) return;
      // Repeat the pass without accumulation: the accumulated gradients are already not finite.
      const bool sums = std::exchange(step.accumulate, false);
      network_.reset_metrics();
      std::string where = watch_.find_not_finite(pass.size, step);
      if (where.empty() && sums) where = "the gradients' sum over several passes (accumulate)";
      if (!where.empty()) fail_not_finite(hooks, batch, where);
    });
    checked_update(batch, hooks);
    state_.position += batch.size;
    ++state_.step;
  }
  fail("step ", end,
       " gave numbers that are not finite, but not when it was repeated: this machine does not reproduce its results");
}

void Trainer::fail_not_finite(const TrainerHooks& hooks, const Batch& batch, const std::string& where) {
  watch_.go_back();  // the check changed running statistics
  state_ = remembered_;
  const std::string what =
      concat("step ", batch.step + 1, " (epoch ", batch.epoch, ", samples ", batch.position, " to ",
             batch.position + batch.size - 1, ") gave numbers that are not finite, first in ", where);
  if (hooks.notice) hooks.notice({.epoch = batch.epoch, .step = batch.step + 1, .text = what, .fatal = true});
  fail(what, "; try a lower ", Field{"lr"}, " or a warm-up");
}

EpochMetrics Trainer::finish_epoch() {
  require(epoch_trained(), "epoch ", state_.epoch, " is not over: ", state_.position, " of ", samples_,
          " samples were trained on");
  const auto count = static_cast<double>(samples_);
  const EpochMetrics metrics = {.epoch = state_.epoch,
                                .step = state_.step,
                                .learning_rate = schedule_at(state_.step - 1).learning_rate,
                                .train_loss = state_.epoch_sums.loss / count,
                                .train_accuracy = state_.epoch_sums.correct / count,
                                .examples_per_second = count / state_.seconds,
                                .seconds = state_.seconds};
  state_ = {.epoch = state_.epoch + 1, .step = state_.step};
  return metrics;
}

TrainerState Trainer::state() const {
  TrainerState state = state_;
  state.loss_watch = loss_watch_.state();
  state.on_device.clear();
  if (state_.position > state_.line_position) {
    state.seconds += seconds_since(line_start_);
    for (std::size_t head = 0; head < network_.heads(); ++head) state.on_device.push_back(network_.metrics(head));
  }
  return state;
}

void Trainer::set_state(const TrainerState& state) {
  require(state.epoch >= 1 && state.position >= 0 && state.position <= samples_ && state.line_position >= 0 &&
              state.line_position <= state.position && state.step >= 0 &&
              (state.on_device.empty() || state.on_device.size() == network_.heads()),
          "cannot resume from epoch ", state.epoch, ", sample ", state.position, ", step ", state.step);
  const std::int64_t steps =
      (state.epoch - 1) * steps_per_epoch() + (state.position + samples_per_step() - 1) / samples_per_step();
  require(state.step == steps, "step ", state.step, " does not match sample ", state.position, " of epoch ",
          state.epoch, ": with ", samples_, " samples and ", samples_per_step(), " per step it is step ", steps);
  state_ = state;
  loss_watch_.set_state(state.loss_watch);
}

}  // namespace minception
