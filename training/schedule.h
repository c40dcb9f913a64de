#pragma once
/// Learning rate and momentum as functions of the step.

#include <cstdint>
#include <string>
#include <string_view>

namespace minception {

enum class ScheduleKind : std::uint8_t {
  constant,
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
  double learning_rate = 0.1;     ///< the constant one, or the peak
  double momentum = 0.0;          ///< the constant one, or the highest
  double lowest_momentum = 0.0;   ///< one_cycle: at the peak of the learning rate
  double warmup_fraction = 0.3;   ///< one_cycle: part of all steps that rise
  double initial_divisor = 25.0;  ///< one_cycle: the first learning rate is learning_rate / this
  double final_divisor = 1e4;     ///< one_cycle: the last is the first / this

  /// Values of step `step` of `total` (both from 0).
  ScheduleValues at(std::int64_t step, std::int64_t total) const;
};

}  // namespace minception
