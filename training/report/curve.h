#pragma once
/// A curve of a plot: recorded points, a smoothed version, and the SVG path of either.

#include "training/report/scale.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace minception::report {

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

/// `y` over optimizer steps; NaN marks a gap.
struct Curve {
  std::string name;
  std::string colour;            ///< CSS class: "c0" to "c7", "d0" to "d11" (by depth)
  double steps_per_epoch = 0.0;  ///< 0: unknown
  std::vector<double> steps;
  std::vector<double> y;
  std::vector<double> smooth;  ///< drawn in place of `y`, which is drawn faint; empty: no smoothing
  bool faint = true;           ///< `y` is drawn behind `smooth`
  bool points = false;         ///< mark every point if there are few
};

/// Two-sided exponential mean: the weight of a line falls by a factor of e per `reach` lines on both sides, so that the
/// curve does not lag. NaN has no weight and stays NaN. `logarithmic`: averages logarithms.
std::vector<double> smoothed(std::span<const double> values, double reach, bool logarithmic = false);

/// Smoothing reach for a curve of this many lines; 0: no smoothing.
double smoothing_reach(std::size_t lines);

/// The last finite value, or NaN.
double last_value(std::span<const double> values);

/// SVG path "M0 120L10.5 118.2..." of the points (x, y) in pixels, x ascending. NaN interrupts the line; an isolated
/// point becomes a dot. If there are more than 2 * `columns` points, only the first, lowest, highest and last point of
/// each 1/`columns` of `width` are drawn.
std::string path(std::span<const double> x, std::span<const double> y, double width, int columns);

/// SVG path with a dot at every point.
std::string dots(std::span<const double> x, std::span<const double> y);

/// At most `most` of `count` indices, evenly spread, including the first and the last.
std::vector<std::size_t> spread_indices(std::size_t count, std::size_t most);

}  // namespace minception::report
