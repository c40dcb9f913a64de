#include <minception/core/error.h>
#include <minception/training/schedule.h>

#include <cmath>

namespace minception {

std::string_view name_of(ScheduleKind kind) { return kind == ScheduleKind::constant ? "constant" : "one-cycle"; }

ScheduleKind parse_schedule(std::string_view name) {
  for (ScheduleKind known : {ScheduleKind::constant, ScheduleKind::one_cycle}) {
    if (name == name_of(known)) return known;
  }
  fail("unknown schedule '", name, "': known are constant, one-cycle");
}

ScheduleValues Schedule::at(std::int64_t step, std::int64_t total) const {
  require(step >= 0 && step < total, "step ", step, " of ", total, " steps does not exist");
  if (kind == ScheduleKind::constant) return {learning_rate, momentum};

  const auto anneal = [](double from, double to, double fraction) {
    return to + (from - to) / 2.0 * (1.0 + std::cos(3.14159265358979323846 * fraction));
  };
  const double first = learning_rate / initial_divisor;
  const double last = first / final_divisor;
  // The peak lies between two steps in general; PyTorch counts the same way.
  const double peak = warmup_fraction * static_cast<double>(total) - 1.0;
  const auto now = static_cast<double>(step);
  if (now <= peak) {
    const double fraction = peak > 0.0 ? now / peak : 1.0;  // a peak at the very first step
    return {anneal(first, learning_rate, fraction), anneal(momentum, lowest_momentum, fraction)};
  }
  const double end = static_cast<double>(total) - 1.0;
  const double fraction = end > peak ? (now - peak) / (end - peak) : 1.0;
  return {anneal(learning_rate, last, fraction), anneal(lowest_momentum, momentum, fraction)};
}

}  // namespace minception
