#include "training/schedule.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace minception {
namespace {

constexpr std::array<std::pair<ScheduleKind, std::string_view>, 4> kNames = {{{ScheduleKind::constant, "constant"},
                                                                              {ScheduleKind::step, "step"},
                                                                              {ScheduleKind::cosine, "cosine"},
                                                                              {ScheduleKind::one_cycle, "one-cycle"}}};

/// Cosine interpolation between two values.
double anneal(double from, double to, double fraction) {
  return to + (from - to) / 2.0 * (1.0 + std::cos(3.14159265358979323846 * fraction));
}

}  // namespace

std::string_view name_of(ScheduleKind kind) {
  for (const auto& [known, name] : kNames) {
    if (kind == known) return name;
  }
  return "unknown";
}

ScheduleKind parse_schedule(std::string_view name) {
  std::string names;
  for (const auto& [known, its_name] : kNames) {
    if (name == its_name) return known;
    names += concat(names.empty() ? "" : ", ", its_name);
  }
  fail("unknown schedule '", name, "': use one of ", names);
}

ScheduleValues Schedule::at(std::int64_t step, std::int64_t total, const Optimizer& optimizer) const {
  require(step >= 0 && step < total, "step ", step, " of ", total, " steps does not exist");
  require(warmup_steps >= 0 && (warmup_steps == 0 || warmup_steps < total), "a warm-up of ", warmup_steps,
          " steps leaves none of the ", total, " steps of the run; make it shorter");
  const ScheduleValues base = {learning_rate_of(optimizer), momentum_of(optimizer)};
  if (step >= warmup_steps) return after_warmup(step, total, base);
  const ScheduleValues first = after_warmup(warmup_steps, total, base);
  const double fraction = static_cast<double>(step + 1) / static_cast<double>(warmup_steps + 1);
  return {first.learning_rate * fraction, first.momentum};
}

ScheduleValues Schedule::after_warmup(std::int64_t step, std::int64_t total, const ScheduleValues& base) const {
  const auto [learning_rate, momentum] = base;
  // constant and step count from the start of training; cosine and one_cycle start after the warm-up.
  const auto now = static_cast<double>(step - warmup_steps);
  const auto steps = static_cast<double>(total - warmup_steps);
  switch (kind) {
    case ScheduleKind::constant:
      break;
    case ScheduleKind::step:
      return {learning_rate * std::pow(gamma, static_cast<double>(step / std::max<std::int64_t>(step_size, 1))),
              momentum};
    case ScheduleKind::cosine:
      return {anneal(learning_rate, eta_min, now / steps), momentum};
    case ScheduleKind::one_cycle: {
      const double first = learning_rate / div_factor;
      const double last = first / final_div_factor;
      // The peak can fall between two steps, as in PyTorch.
      const double peak = pct_start * steps - 1.0;
      if (now <= peak) {
        const double fraction = peak > 0.0 ? now / peak : 1.0;  // the peak is at the first step
        return {anneal(first, learning_rate, fraction), anneal(momentum, base_momentum, fraction)};
      }
      const double end = steps - 1.0;
      const double fraction = end > peak ? (now - peak) / (end - peak) : 1.0;
      return {anneal(learning_rate, last, fraction), anneal(base_momentum, momentum, fraction)};
    }
  }
  return base;
}

}  // namespace minception
