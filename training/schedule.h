#pragma once
/// Learning rate and momentum schedules as functions of the step.

#include "models/optimizer.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace minception {

enum class ScheduleKind : std::uint8_t {
  constant,
  /// Multiplies the learning rate by gamma every step_size steps (PyTorch's StepLR). Szegedy et al. 2015, section 6: a
  /// decrease of 4 % every 8 epochs.
  step,
  /// Half a cosine from the learning rate to eta_min (Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts;
  /// PyTorch's CosineAnnealingLR).
  cosine,
  /// One cycle (Smith & Topin 2018, "Super-convergence") with cosine annealing as in PyTorch's OneCycleLR: the learning
  /// rate rises from peak/25 to the peak and falls to peak/250,000; momentum moves in the opposite direction.
  one_cycle,
};

std::string_view name_of(ScheduleKind kind);
/// Throws Error, listing the names, for an unknown name.
ScheduleKind parse_schedule(std::string_view name);

struct ScheduleValues {
  double learning_rate = 0.0;
  double momentum = 0.0;
};

/// The optimizer's learning rate is the initial value (one_cycle: the peak), its momentum the constant value (one_cycle:
/// the highest).
struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  std::int64_t warmup_steps = 0;  ///< linear rise to the initial value: factor (step + 1) / (warmup_steps + 1)
  std::int64_t step_size = 1;     ///< step: steps between two decreases
  double gamma = 0.1;             ///< step: factor of each decrease
  double eta_min = 0.0;           ///< cosine: value one step after the last
  double base_momentum = 0.0;     ///< one_cycle: momentum at the peak of the learning rate
  double pct_start = 0.3;         ///< one_cycle: fraction of its steps that rise
  double div_factor = 25.0;       ///< one_cycle: initial learning rate = peak / div_factor
  double final_div_factor = 1e4;  ///< one_cycle: final learning rate = initial learning rate / final_div_factor

  /// Values at step `step` of `total`; both include the warm-up, and steps count from 0.
  ScheduleValues at(std::int64_t step, std::int64_t total, const Optimizer& optimizer) const;
  /// Whether the values depend on the total number of steps.
  bool needs_total() const { return kind == ScheduleKind::cosine || kind == ScheduleKind::one_cycle; }

 private:
  ScheduleValues after_warmup(std::int64_t step, std::int64_t total, const ScheduleValues& base) const;
};

}  // namespace minception
