#pragma once
/// A line plot as HTML and SVG that needs no script: the area stretches with the page, its texts do not. A
/// script can add a crosshair from the data that comes with it.

#include <minception/training/report/curve.h>

#include <string>
#include <vector>

namespace minception::report {

enum class Range {
  automatic,    ///< logarithmic if the values are above 0 and span more than a factor of 30
  from_zero,    ///< linear, with 0
  fitted,       ///< linear, as the values need it
  logarithmic,  ///< values that are not above 0 are gaps
};

/// A horizontal line to compare with.
struct Reference {
  double y = 0.0;
  std::string label;
};

struct Plot {
  std::string title;
  std::string note;  ///< a line below; plain text
  Unit unit = Unit::number;
  Range range = Range::automatic;
  std::vector<Curve> curves;
  std::vector<Reference> references;  ///< shown where they lie near the curves
  int height = 230;                   ///< of the area, in pixels
  bool named = true;                  ///< curves have their names beside them; false where a plot nearby has them
};

/// A <figure>, or "" if no curve has a finite value.
std::string to_html(const Plot& plot);

}  // namespace minception::report
