#pragma once
/// A curve of a plot: its recorded points, a smoothed version of them, and the path that draws either.

#include <minception/training/report/scale.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace minception::report {

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

/// `y` over optimizer steps; NaN is a gap.
struct Curve {
  std::string name;
  std::string colour;            ///< class of the style sheet: "c0" to "c7", "d0" to "d11" (by depth)
  double steps_per_epoch = 0.0;  ///< 0: unknown
  std::vector<double> steps;
  std::vector<double> y;
  std::vector<double> smooth;  ///< drawn in place of `y`, which becomes faint; empty: no smoothing
  bool faint = true;           ///< `y` is drawn behind `smooth`
  bool points = false;         ///< every point is marked, if they are few
};

/// Two-sided exponential mean: the weight of a line falls by e in `reach` lines, to both sides, so that the
/// curve does not lag behind. NaN has no weight and stays NaN. `logarithmic` takes the mean of logarithms.
std::vector<double> smoothed(std::span<const double> values, double reach, bool logarithmic = false);

/// The lines over which a curve of that many is smoothed; 0 if it is short enough to be shown as it is.
double smoothing_reach(std::size_t lines);

/// The last value that is finite, or NaN.
double last_value(std::span<const double> values);

/// "M0 120L10.5 118.2..." of the points (x, y), both in pixels and x ascending: NaN interrupts it, a point by itself
/// becomes a dot. Where more points fall onto the same 1/`columns` of `width` than can be told apart, the
/// first, lowest, highest and last of them are drawn.
std::string path(std::span<const double> x, std::span<const double> y, double width, int columns);

/// A dot at every point.
std::string dots(std::span<const double> x, std::span<const double> y);

/// At most `most` indices of `count`, evenly spread, the first and the last among them.
std::vector<std::size_t> spread_indices(std::size_t count, std::size_t most);

}  // namespace minception::report
