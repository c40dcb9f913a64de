/// Where everything of a roofline picture lies.

#include <minception/core/error.h>
#include <minception/examples/roofline.h>
#include <minception/examples/svg.h>
#include <minception/training/report/scale.h>
#include <minception/training/report/text.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace minception {
namespace {

using report::coordinate;
using report::escaped;
using svg::Box;
using svg::kHead;
using svg::line;
using svg::Spot;
using svg::text;
using svg::text_width;

constexpr double kPlotWidth = 520.0, kPlotHeight = 380.0;
constexpr double kLeft = 66.0, kTop = 46.0, kRight = 18.0, kBottom = 58.0;  // around the area of a panel
constexpr double kPanelWidth = kLeft + kPlotWidth + kRight, kPanelHeight = kTop + kPlotHeight + kBottom;
constexpr double kLine = 13.0;  // the height of labels, in pixels
constexpr double kDot = 4.0;

constexpr const char* kStyle = R"(.roof{stroke:#c24f00;stroke-width:2;fill:none;stroke-linejoin:round}
.ridge{stroke:#c24f00;stroke-dasharray:3 4}.on-roof{fill:#c24f00;font-size:11px}
.dot{fill:#0066a8}.lead{stroke:#5b626b;stroke-width:.7}
)";

/// Whether the line from a to b comes into the box, looked at every two pixels.
bool crosses(Spot a, Spot b, const Box& box) {
  const int steps = std::max(1, static_cast<int>(std::hypot(b.x - a.x, b.y - a.y) / 2.0));
  for (int i = 0; i <= steps; ++i) {
    const double t = static_cast<double>(i) / steps;
    if (box.meets({a.x + t * (b.x - a.x), a.y + t * (b.y - a.y), 0.01, 0.01})) return true;
  }
  return false;
}

/// Finds places for labels: beside their dot where it is free, else further away with a line to it.
class Labels {
 public:
  explicit Labels(const Box& area) : area_(area) {}
  void avoid(const Box& box) { taken_.push_back(box); }
  void avoid(Spot from, Spot to) { lines_.emplace_back(from, to); }

  std::string place(Spot dot, const std::string& label) {
    const std::string neat = place(dot, label, true);
    return neat.empty() ? place(dot, label, false) : neat;
  }

  /// The lines from dots to labels, to be drawn below all labels.
  const std::string& leads() const { return leads_; }

 private:
  /// `neat`: a line to a label passes by dots and other labels. "" where there is no place: the tables have its numbers.
  std::string place(Spot dot, const std::string& label, bool neat) {
    const double width = text_width(label) + 4.0;
    for (double distance = 9.0; distance < 320.0; distance *= 1.25) {
      for (const int turn : kTurns) {
        const double angle = turn * std::acos(-1.0) / 8.0;
        const Spot end = {dot.x + distance * std::cos(angle), dot.y - distance * std::sin(angle)};
        const double shift = 0.5 * (std::cos(angle) - 1.0);  // of the box: 0 to the right of its end, -1 to the left
        const Box box = {end.x + shift * width, end.y - 0.5 * (1.0 + std::sin(angle)) * kLine, width, kLine};
        const bool led = distance > 12.0;
        if (!is_free(box, led && neat ? std::optional<Spot>(end) : std::nullopt, dot)) continue;
        avoid(box);
        if (led) {
          avoid(dot, end);
          leads_ += line("lead", dot, end);
        }
        return text("label", {box.x + 0.5 * width, box.y + kLine - 3.0}, "middle", label);
      }
    }
    return "";
  }

  bool is_free(const Box& box, std::optional<Spot> led_to, Spot dot) const {
    if (box.x < area_.x + 2.0 || box.y < area_.y + 2.0 || box.x + box.width > area_.x + area_.width - 2.0 ||
        box.y + box.height > area_.y + area_.height - 2.0) {
      return false;
    }
    for (const Box& other : taken_) {
      if (box.meets(other)) return false;
      // Dots in a crowd are too close to keep clear of each other's lines.
      const bool near = std::hypot(dot.x - other.x - kDot, dot.y - other.y - kDot) < 5.0 * kDot;
      if (led_to && !near && crosses(dot, *led_to, other)) return false;
    }
    return std::none_of(lines_.begin(), lines_.end(), [&](const auto& l) { return crosses(l.first, l.second, box); });
  }

  /// In sixteenths of a circle: first to the right, then left, above and below, then between.
  static constexpr std::array<int, 16> kTurns = {0, 8, 4, 12, 2, 14, 6, 10, 1, 15, 3, 13, 7, 9, 5, 11};
  Box area_;
  std::string leads_;
  std::vector<Box> taken_;
  std::vector<std::pair<Spot, Spot>> lines_;
};

struct Axes {
  report::Scale x, y;
};

/// Of all panels together: from a little left of and below the lowest point to the roof and beyond the ridge.
Axes axes_of(const Roofline& roofline) {
  const double ridge = roofline.arithmetic / roofline.copy;
  double left = ridge / 4.0, right = ridge * 4.0, low = roofline.arithmetic / 4.0, high = roofline.arithmetic;
  for (const RooflinePanel& panel : roofline.panels) {
    for (const RooflinePoint& point : panel.points) {
      left = std::min(left, point.intensity);
      right = std::max(right, point.intensity);
      low = std::min(low, point.rate);
      high = std::max(high, point.rate);
    }
  }
  return {report::logarithmic_scale(left / 1.5, right * 1.8, 8),
          report::logarithmic_scale(low / 1.6 / 1e9, high * 1.8 / 1e9, 8)};
}

/// A text above the line from `from` to `to`, where fewest dots are, and out of the way of labels.
std::string roof_text(Labels& labels, const std::vector<std::pair<Spot, std::string>>& dots, Spot from, Spot to,
                      const std::string& content) {
  const double turn = std::atan2(to.y - from.y, to.x - from.x), length = std::hypot(to.x - from.x, to.y - from.y);
  const double width = text_width(content);
  // Small boxes along the line stand for the slanted text.
  const auto boxes = [&](double middle) {
    std::vector<Box> along;
    for (int part = 0; part <= 10; ++part) {
      const double at = middle + (0.1 * part - 0.5) * width;
      along.push_back({from.x + at * std::cos(turn) + 10.0 * std::sin(turn) - 7.0,
                       from.y + at * std::sin(turn) - 10.0 * std::cos(turn) - 7.0, 14.0, 14.0});
    }
    return along;
  };
  double best = 0.5 * length;
  std::ptrdiff_t fewest = std::ssize(dots) + 1;
  for (double middle = 0.5 * width + 8.0; middle <= length - 0.5 * width - 8.0; middle += 10.0) {
    const std::vector<Box> along = boxes(middle);
    const std::ptrdiff_t covered = std::count_if(dots.begin(), dots.end(), [&](const auto& dot) {
      const Box box = {dot.first.x - 2.0 * kDot, dot.first.y - 2.0 * kDot, 4.0 * kDot, 4.0 * kDot};
      return std::any_of(along.begin(), along.end(), [&](const Box& part) { return part.meets(box); });
    });
    if (covered >= fewest) continue;
    fewest = covered;
    best = middle;
  }
  for (const Box& box : boxes(best)) labels.avoid(box);
  const Spot at = {from.x + best * std::cos(turn), from.y + best * std::sin(turn)};
  return text("on-roof", {at.x, at.y - 6.0}, "middle", content, svg::turned(turn * 180.0 / std::acos(-1.0), at));
}

std::string panel_svg(const Roofline& roofline, const RooflinePanel& panel, const Axes& axes, Spot origin) {
  const Box area = {origin.x + kLeft, origin.y + kTop, kPlotWidth, kPlotHeight};
  const auto spot = [&](double intensity, double rate) {
    return Spot{area.x + axes.x.position(intensity) * area.width,
                area.y + (1.0 - axes.y.position(rate / 1e9)) * area.height};
  };
  const double bottom = area.y + area.height, right = area.x + area.width;
  std::string drawing = text("panel", {area.x, area.y - 12.0}, "start", panel.title) +
                        text("muted", {right, area.y - 12.0}, "end", panel.note);
  for (const report::Tick& tick : axes.x.ticks) {
    const double x = area.x + axes.x.position(tick.value) * area.width;
    drawing += line("grid", {x, area.y}, {x, bottom}) + text("muted", {x, bottom + 17.0}, "middle", tick.label);
  }
  for (const report::Tick& tick : axes.y.ticks) {
    const double y = area.y + (1.0 - axes.y.position(tick.value)) * area.height;
    drawing += line("grid", {area.x, y}, {right, y}) + text("muted", {area.x - 8.0, y + 4.0}, "end", tick.label);
  }
  drawing += svg::frame(area);
  drawing += text("muted", {area.x + 0.5 * area.width, bottom + 38.0}, "middle", "arithmetic intensity, FLOP per byte");
  const Spot name = {origin.x + 16.0, area.y + 0.5 * area.height};
  drawing += text("muted", name, "middle", "speed, GFLOP/s", svg::turned(-90.0, name));

  // The roof begins where its slope enters the area.
  const double start = std::max(axes.x.low, axes.y.low * 1e9 / roofline.copy),
               ridge = roofline.arithmetic / roofline.copy;
  const Spot foot = spot(start, start * roofline.copy), top = spot(ridge, roofline.arithmetic),
             end = spot(axes.x.high, roofline.arithmetic);
  drawing += concat("<path class=\"roof\" d=\"M", coordinate(foot.x), " ", coordinate(foot.y), "L", coordinate(top.x),
                    " ", coordinate(top.y), "L", coordinate(end.x), " ", coordinate(end.y), "\"/>\n");
  drawing += line("ridge", top, {top.x, bottom});

  std::vector<std::pair<Spot, std::string>> dots;
  for (const RooflinePoint& point : panel.points) dots.emplace_back(spot(point.intensity, point.rate), point.label);
  Labels labels(area);
  labels.avoid(foot, top);
  labels.avoid(top, end);
  labels.avoid(top, {top.x, bottom});
  for (const auto& [at, label] : dots) labels.avoid(Box{at.x - kDot, at.y - kDot, 2.0 * kDot, 2.0 * kDot});
  drawing += roof_text(labels, dots, foot, top, concat("copy ", report::compact(roofline.copy / 1e9), " GB/s"));
  drawing +=
      roof_text(labels, dots, top, end, concat("arithmetic ", report::compact(roofline.arithmetic / 1e9), " GFLOP/s"));
  const std::string at_ridge = concat(report::decimal(ridge, 1), " FLOP per byte");
  drawing += text("on-roof", {top.x + 5.0, bottom - 6.0}, "start", at_ridge);
  labels.avoid(Box{top.x + 5.0, bottom - 18.0, text_width(at_ridge), 16.0});
  std::string names, drawn;
  for (const auto& [at, label] : dots) {
    names += labels.place(at, label);
    drawn += concat("<circle class=\"dot\" cx=\"", coordinate(at.x), "\" cy=\"", coordinate(at.y), "\" r=\"",
                    coordinate(kDot), "\"><title>", escaped(label), "</title></circle>\n");
  }
  return drawing + labels.leads() + names + drawn;
}

}  // namespace

std::string roofline_svg(const Roofline& whole) {
  Roofline roofline = whole;
  for (RooflinePanel& panel : roofline.panels) {
    std::erase_if(panel.points, [](const RooflinePoint& point) {
      return !(std::isfinite(point.intensity) && point.intensity > 0.0 && std::isfinite(point.rate) &&
               point.rate > 0.0);
    });
  }
  const Axes axes = axes_of(roofline);
  const std::size_t columns = std::min<std::size_t>(2, std::max<std::size_t>(1, roofline.panels.size()));
  const std::size_t rows = (roofline.panels.size() + columns - 1) / columns;
  const double width = kPanelWidth * static_cast<double>(columns) + 8.0;
  const double height = kHead + kPanelHeight * static_cast<double>(rows);
  std::string panels;
  for (std::size_t i = 0; i < roofline.panels.size(); ++i) {
    panels += panel_svg(
        roofline, roofline.panels[i], axes,
        {kPanelWidth * static_cast<double>(i % columns), kHead + kPanelHeight * static_cast<double>(i / columns)});
  }
  return svg::file(width, height, kStyle, roofline.title, roofline.note, panels);
}

}  // namespace minception
