/// Where everything of a picture of lines lies.

#include <minception/core/error.h>
#include <minception/examples/line_plot.h>
#include <minception/examples/svg.h>
#include <minception/training/report/scale.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace minception {
namespace {

using report::coordinate;
using svg::Box;
using svg::line;
using svg::Spot;
using svg::text;

constexpr double kPlotWidth = 430.0, kPlotHeight = 330.0;
constexpr double kLeft = 74.0, kTop = 46.0, kBottom = 62.0;  // around the area of a panel
constexpr double kPanelHeight = kTop + kPlotHeight + kBottom;
constexpr double kLead = 22.0;  // from the area to the labels
constexpr double kLabelHeight = 15.0;
constexpr std::size_t kColours = 8;

// The series colours of the report's light style; further lines are dashed.
constexpr const char* kStyle =
    R"(.line{fill:none;stroke-width:2;stroke-linejoin:round}.dashed{stroke-dasharray:6 4}.lead{stroke-width:.8}.end{font-size:12px}
.c0{stroke:#0066a8}.c1{stroke:#c24f00}.c2{stroke:#00775a}.c3{stroke:#a3447a}.c4{stroke:#8a6100}.c5{stroke:#2f7fb8}.c6{stroke:#5b4fc0}.c7{stroke:#5d6670}
.f0{fill:#0066a8}.f1{fill:#c24f00}.f2{fill:#00775a}.f3{fill:#a3447a}.f4{fill:#8a6100}.f5{fill:#2f7fb8}.f6{fill:#5b4fc0}.f7{fill:#5d6670}
)";

std::string label_of(const PlotLine& l) { return l.name + " " + report::percent(l.y.back(), 1); }

PlotLine finite_points(const PlotLine& l, bool logarithmic) {
  PlotLine kept = {.name = l.name, .x = {}, .y = {}};
  for (std::size_t i = 0; i < l.x.size(); ++i) {
    if (!std::isfinite(l.x[i]) || !std::isfinite(l.y[i]) || (logarithmic && !(l.x[i] > 0.0))) continue;
    kept.x.push_back(l.x[i]);
    kept.y.push_back(l.y[i]);
  }
  return kept;
}

struct Axes {
  report::Scale x, y;
};

Axes axes_of(const LinePanel& panel) {
  double left = INFINITY, right = -INFINITY, low = INFINITY, high = -INFINITY, late = INFINITY;
  for (const PlotLine& l : panel.lines) {
    for (std::size_t i = 0; i < l.x.size(); ++i) {
      left = std::min(left, l.x[i]);
      right = std::max(right, l.x[i]);
      low = std::min(low, l.y[i]);
      high = std::max(high, l.y[i]);
      if (2 * i + 1 >= l.x.size()) late = std::min(late, l.y[i]);
    }
  }
  if (!(left <= right)) return {report::linear_scale(0.0, 1.0, report::Unit::number, 6, true), {}};
  if (!panel.whole) low = std::max(low, late - 0.3 * (high - late));
  return {panel.logarithmic_x ? report::logarithmic_scale(left / 1.15, right * 1.15, 8)
                              : report::linear_scale(std::min(left, 0.0), right, report::Unit::compact, 7, false),
          report::linear_scale(low, high, report::Unit::percent, 7, true)};
}

/// Moves the labels, of which these are the heights, as little as needed to keep them apart between `top` and `bottom`.
std::vector<double> kept_apart(const std::vector<double>& wanted, double top, double bottom) {
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
  // Groups of touching labels, each centred on where its members want to be.
  struct Group {
    double sum;
    double count;
    double centre() const { return sum / count; }
    double half() const { return 0.5 * kLabelHeight * count; }
  };
  std::vector<Group> groups;
  for (const std::size_t i : order) {
    groups.push_back({wanted[i], 1.0});
    while (groups.size() > 1) {
      Group& above = groups[groups.size() - 2];
      const Group& below = groups.back();
      if (above.centre() + above.half() <= below.centre() - below.half()) break;
      above = {above.sum + below.sum, above.count + below.count};
      groups.pop_back();
    }
  }
  std::vector<double> places(wanted.size());
  auto next = order.begin();
  double above = top;
  for (const Group& group : groups) {
    double at = std::max(std::min(group.centre() - group.half(), bottom - 2.0 * group.half()), above);
    for (double n = 0.0; n < group.count; n += 1.0, at += kLabelHeight) places[*next++] = at + 0.5 * kLabelHeight;
    above = at;
  }
  return places;
}

class Panel {
 public:
  Panel(const LinePlot& plot, const LinePanel& panel, std::size_t number, Spot origin)
      : plot_(plot),
        panel_(panel),
        number_(number),
        area_{origin.x + kLeft, origin.y + kTop, kPlotWidth, kPlotHeight},
        axes_(axes_of(panel)) {}

  std::string drawn() const {
    std::string drawing = frame_and_axes();
    drawing += concat("<clipPath id=\"area", number_, "\"><rect x=\"", coordinate(area_.x - 5.0), "\" y=\"",
                      coordinate(area_.y - 5.0), "\" width=\"", coordinate(area_.width + 10.0), "\" height=\"",
                      coordinate(area_.height + 5.0), "\"/></clipPath>\n");
    drawing += concat("<g clip-path=\"url(#area", number_, ")\">\n");
    for (const PlotLine& l : panel_.lines) drawing += curve(l);
    return drawing + "</g>\n" + ends();
  }

 private:
  Spot spot(double x, double y) const {
    return {area_.x + axes_.x.position(x) * area_.width, area_.y + (1.0 - axes_.y.position(y)) * area_.height};
  }
  std::size_t colour(const std::string& name) const {
    return static_cast<std::size_t>(std::find(plot_.order.begin(), plot_.order.end(), name) - plot_.order.begin());
  }

  std::string frame_and_axes() const {
    const double bottom = area_.y + area_.height, right = area_.x + area_.width;
    std::string drawing = text("panel", {area_.x, area_.y - 12.0}, "start", panel_.title) +
                          text("muted", {right, area_.y - 12.0}, "end", panel_.note);
    for (const report::Tick& tick : axes_.x.ticks) {
      const double x = area_.x + axes_.x.position(tick.value) * area_.width;
      drawing += line("grid", {x, area_.y}, {x, bottom}) + text("muted", {x, bottom + 17.0}, "middle", tick.label);
    }
    for (const report::Tick& tick : axes_.y.ticks) {
      const double y = area_.y + (1.0 - axes_.y.position(tick.value)) * area_.height;
      drawing += line("grid", {area_.x, y}, {right, y}) + text("muted", {area_.x - 8.0, y + 4.0}, "end", tick.label);
    }
    drawing += svg::frame(area_) + text("muted", {area_.x + 0.5 * area_.width, bottom + 38.0}, "middle", panel_.x_name);
    const Spot name = {area_.x - 58.0, area_.y + 0.5 * area_.height};
    return drawing + text("muted", name, "middle", plot_.y_name, svg::turned(-90.0, name));
  }

  std::string curve(const PlotLine& l) const {
    const std::size_t number = colour(l.name);
    std::string points, dots;
    for (std::size_t i = 0; i < l.x.size(); ++i) {
      const Spot at = spot(l.x[i], l.y[i]);
      points += concat(points.empty() ? "" : " ", coordinate(at.x), ",", coordinate(at.y));
      dots +=
          concat("<circle class=\"f", number % kColours, "\" cx=\"", coordinate(at.x), "\" cy=\"", coordinate(at.y),
                 "\" r=\"3\"><title>", report::escaped(l.name), ": ", report::percent(l.y[i]), "</title></circle>\n");
    }
    return concat("<polyline class=\"line c", number % kColours, number < kColours ? "" : " dashed", "\" points=\"",
                  points, "\"/>\n", dots);
  }

  /// The name and last value of every line, to the right of the area.
  std::string ends() const {
    const double right = area_.x + area_.width;
    std::vector<const PlotLine*> lines;
    std::vector<double> wanted;
    for (const PlotLine& l : panel_.lines) {
      if (l.x.empty()) continue;
      lines.push_back(&l);
      wanted.push_back(std::min(spot(l.x.back(), l.y.back()).y, area_.y + area_.height));
    }
    const std::vector<double> places = kept_apart(wanted, area_.y - 8.0, area_.y + area_.height + 8.0);
    std::string leads, labels;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::size_t number = colour(lines[i]->name) % kColours;
      const Spot end = spot(lines[i]->x.back(), wanted[i]);
      leads += line(concat("lead c", number), {end.x + 5.0, wanted[i]}, {right + kLead - 4.0, places[i]});
      labels += text(concat("end f", number), {right + kLead, places[i] + 4.0}, "start", label_of(*lines[i]));
    }
    return leads + labels;
  }

  const LinePlot& plot_;
  const LinePanel& panel_;
  std::size_t number_;
  Box area_;
  Axes axes_;
};

}  // namespace

std::string line_plot_svg(const LinePlot& whole) {
  LinePlot plot = whole;
  double label = 0.0;
  for (LinePanel& panel : plot.panels) {
    for (PlotLine& l : panel.lines) {
      l = finite_points(l, panel.logarithmic_x);
      if (!l.x.empty()) label = std::max(label, 1.1 * svg::text_width(label_of(l)));
    }
  }
  const double panel_width = kLeft + kPlotWidth + kLead + label + 12.0;
  const std::size_t columns = std::min<std::size_t>(2, std::max<std::size_t>(1, plot.panels.size()));
  const std::size_t rows = (plot.panels.size() + columns - 1) / columns;
  std::string panels;
  for (std::size_t i = 0; i < plot.panels.size(); ++i) {
    panels += Panel(plot, plot.panels[i], i,
                    {panel_width * static_cast<double>(i % columns),
                     svg::kHead + kPanelHeight * static_cast<double>(i / columns)})
                  .drawn();
  }
  return svg::file(panel_width * static_cast<double>(columns) + 8.0,
                   svg::kHead + kPanelHeight * static_cast<double>(rows), kStyle, plot.title, plot.note, panels);
}

}  // namespace minception
