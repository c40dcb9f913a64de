#pragma once
/// Learning rate and momentum as functions of the step.

#include <cstdint>
#include <string>
#include <string_view>

namespace minception {

enum class ScheduleKind : std::uint8_t {
  constant,
  /// The learning rate is multiplied by a factor every so many steps (PyTorch's StepLR). Szegedy et al. 2015, section 6,
  /// lower it by 4 % every 8 epochs.
  step,
  /// Half a cosine from the learning rate to the lowest one (Loshchilov & Hutter 2017, "SGDR", equation 5, without
  /// restarts; PyTorch's CosineAnnealingLR).
  cosine,
  /// One cycle (Smith & Topin 2018, "Super-convergence"), with cosine annealing as in PyTorch's OneCycleLR: the learning
  /// rate rises from peak/25 to the peak and falls to peak/250,000; momentum goes the other way.
  one_cycle,
};

std::string_view name_of(ScheduleKind kind);
/// Throws Error that lists the names for an unknown one.
ScheduleKind parse_schedule(std::string_view name);

struct ScheduleValues {
  double learning_rate = 0.0;
  double momentum = 0.0;
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  double learning_rate = 0.1;         ///< the first one; with one_cycle the peak
  double momentum = 0.0;              ///< the constant one; with one_cycle the highest
  std::int64_t warmup_steps = 0;      ///< before any kind: linear from 0, which is never used, to its first value
  std::int64_t step_interval = 1;     ///< step: steps between two multiplications
  double step_factor = 0.1;           ///< step: what the learning rate is multiplied by
  double lowest_learning_rate = 0.0;  ///< cosine: one step beyond the last
  double lowest_momentum = 0.0;       ///< one_cycle: at the peak of the learning rate
  double rise_fraction = 0.3;         ///< one_cycle: part of its steps that rise
  double initial_divisor = 25.0;      ///< one_cycle: the first learning rate is learning_rate / this
  double final_divisor = 1e4;         ///< one_cycle: the last is the first / this

  /// Values of step `step` of `total` (both from 0, the warm-up counted).
  ScheduleValues at(std::int64_t step, std::int64_t total) const;
  /// Whether values depend on how many steps there are in all.
  bool needs_total() const { return kind == ScheduleKind::cosine || kind == ScheduleKind::one_cycle; }

 private:
  ScheduleValues after_warmup(std::int64_t step, std::int64_t total) const;
};

}  // namespace minception
