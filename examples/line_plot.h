#pragma once
/// A picture of lines with marked points in one or more panels, as an SVG file that stands alone.

#include <string>
#include <vector>

namespace minception {

struct PlotLine {
  std::string name;
  std::vector<double> x, y;  ///< x ascending; points that are not finite are left out
};

struct LinePanel {
  std::string title;
  std::string note;  ///< beside the title
  std::string x_name;
  bool logarithmic_x = false;
  bool whole = false;           ///< the vertical axis is that of all points
  std::vector<PlotLine> lines;  ///< of shares: a tenth is 10 %
};

struct LinePlot {
  std::string title;
  std::string note;                ///< a line below the title
  std::string y_name;              ///< of all panels
  std::vector<LinePanel> panels;   ///< two in a row
  std::vector<std::string> order;  ///< names of lines in the order of the colours: a name has one colour in all panels
};

/// A whole SVG file. The name and last value of each line stand beside its end, kept apart. The vertical axis is that of
/// the later half of each line, unless the panel says otherwise: what lies far below, as the first steps of a training do,
/// leaves the panel at its foot.
std::string line_plot_svg(const LinePlot& plot);

}  // namespace minception
