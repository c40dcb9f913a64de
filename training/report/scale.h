#pragma once
/// An axis: positions of values, and labels at round numbers.

#include <string>
#include <vector>

namespace minception::report {

enum class Unit { number, percent, compact };

struct Tick {
  double value = 0.0;
  std::string label;
};

struct Scale {
  double low = 0.0;
  double high = 1.0;
  bool logarithmic = false;
  std::vector<Tick> ticks;

  /// 0 at `low`, 1 at `high`; NaN for values that are not positive on a logarithmic axis.
  double position(double value) const;
};

/// A linear axis from `low` to `high` with about `ticks` labels at 1, 2 or 5 times a power of ten. `widen` extends both
/// ends to the next label; an empty range is widened.
Scale linear_scale(double low, double high, Unit unit, int ticks, bool widen);
/// A logarithmic axis for positive values, labelled at powers of ten, and between them if there are few.
Scale logarithmic_scale(double low, double high, int ticks);

}  // namespace minception::report
