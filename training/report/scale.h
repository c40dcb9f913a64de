#pragma once
/// An axis: where values lie on it, and the round numbers that label it.

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

  /// 0 at `low`, 1 at `high`; NaN for what a logarithmic axis cannot show.
  double position(double value) const;
};

/// An axis from `low` to `high` with about `ticks` labels at 1, 2 or 5 times a power of ten.
/// `widen` moves both ends out to the next label; a range of nothing is given some.
Scale linear_scale(double low, double high, Unit unit, int ticks, bool widen);
/// The same for values above 0, labelled at powers of ten, and between them where there are few.
Scale logarithmic_scale(double low, double high, int ticks);

}  // namespace minception::report
