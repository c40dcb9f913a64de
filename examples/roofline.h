#pragma once
/// A roofline picture (Williams, Waterman & Patterson 2009): speed over arithmetic intensity, both logarithmic, under the
/// two ceilings of a machine.

#include <string>
#include <vector>

namespace minception {

struct RooflinePoint {
  std::string label;
  double intensity = 0.0;  ///< FLOP per byte
  double rate = 0.0;       ///< FLOP per second
};

struct RooflinePanel {
  std::string title;
  std::string note;  ///< beside the title
  std::vector<RooflinePoint> points;
};

struct Roofline {
  std::string title;
  std::string note;                   ///< a line below the title
  double copy = 0.0;                  ///< bytes per second
  double arithmetic = 0.0;            ///< FLOP per second
  std::vector<RooflinePanel> panels;  ///< two in a row, all with the same axes
};

/// A whole SVG file. Points that are not finite and above 0 are left out; labels do not cover one another.
std::string roofline_svg(const Roofline& roofline);

}  // namespace minception
