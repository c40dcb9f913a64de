#pragma once
/// A line plot as HTML and SVG without a script: the area stretches with the page, its texts do not. The script adds a
/// crosshair from the embedded data.

#include "training/report/curve.h"

#include <string>
#include <vector>

namespace minception::report {

enum class Range {
  automatic,    ///< logarithmic if all values are positive and span more than a factor of 30
  from_zero,    ///< linear, including 0
  fitted,       ///< linear, fitted to the values
  logarithmic,  ///< values that are not positive are gaps
};

/// A horizontal reference line.
struct Reference {
  double y = 0.0;
  std::string label;
};

struct Plot {
  std::string title;
  std::string note;  ///< a line below the plot; plain text
  Unit unit = Unit::number;
  Range range = Range::automatic;
  std::vector<Curve> curves;
  std::vector<Reference> references;  ///< shown if near the curves
  int height = 230;                   ///< of the area in pixels
  bool named = true;                  ///< label the curves; false if a plot nearby shows the names
};

/// A <figure>, or "" if no curve has a finite value.
std::string to_html(const Plot& plot);

}  // namespace minception::report
