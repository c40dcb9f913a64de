/// Layout of plots.

#include "training/report/plot.h"
#include "core/error.h"
#include "training/report/text.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace minception::report {
namespace {

// Width of the area in SVG units, independent of its width on the page.
constexpr double kWidth = 1000.0;
constexpr int kColumns = 500;          // finer columns are not distinguishable
constexpr int kSmoothColumns = 250;    // for curves without noise
constexpr double kLabelHeight = 15.0;  // minimum distance of labels in pixels

struct Axes {
  bool epochs = false;  // x is in epochs; otherwise in steps
  Scale x, y;
};

double x_of(const Curve& curve, double step, bool epochs) { return epochs ? step / curve.steps_per_epoch : step; }

/// The line of the curve that is drawn most prominently.
const std::vector<double>& main_line(const Curve& curve) { return curve.smooth.empty() ? curve.y : curve.smooth; }

struct Extent {
  double low = kNotANumber, high = kNotANumber, lowest_positive = kNotANumber;

  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::fmin(low, value);
    high = std::fmax(high, value);
    if (value > 0.0) lowest_positive = std::fmin(lowest_positive, value);
  }
};

Extent extent_of(const Plot& plot) {
  Extent extent;
  for (const Curve& curve : plot.curves) {
    for (const double value : main_line(curve)) extent.add(value);
    if (!curve.faint) continue;
    for (const double value : curve.y) extent.add(value);
  }
  return extent;
}

Scale y_scale(const Plot& plot, Extent extent) {
  bool logarithmic = plot.range == Range::logarithmic;
  if (plot.range == Range::automatic) logarithmic = extent.low > 0.0 && extent.high > 30.0 * extent.low;
  const int ticks = plot.height / 45;
  if (logarithmic && extent.lowest_positive > 0.0) {
    return logarithmic_scale(extent.lowest_positive, extent.high, ticks);
  }
  // Curves far above 0 do not include 0, so that their changes stay visible.
  const bool zero = plot.range == Range::from_zero ||
                    (plot.range == Range::automatic && extent.low > 0.0 && extent.low < 0.5 * extent.high);
  if (zero) extent.add(0.0);
  return linear_scale(extent.low, extent.high, plot.unit, ticks, true);
}

/// Places labels at least `height` apart, each as close to its wanted place as possible (pool adjacent violators
/// algorithm: labels that collide move together to their mean). `places` must be ascending.
std::vector<double> apart(const std::vector<double>& places, double height) {
  struct Pool {
    double sum = 0.0;
    int count = 0;
    double mean() const { return sum / count; }
  };
  std::vector<Pool> pools;
  for (std::size_t i = 0; i < places.size(); ++i) {
    pools.push_back({places[i] - kLabelHeight * static_cast<double>(i), 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back().sum += last.sum;
      pools.back().count += last.count;
    }
  }
  const double highest = height - kLabelHeight * static_cast<double>(places.size() - 1);
  std::vector<double> result;
  for (const Pool& pool : pools) {
    for (int i = 0; i < pool.count; ++i) {
      const double offset = kLabelHeight * static_cast<double>(result.size());
      result.push_back(std::clamp(pool.mean(), 0.0, std::max(0.0, highest)) + offset);
    }
  }
  return result;
}

std::string px(double value) { return coordinate(value) + "px"; }

struct EndLabel {
  double y = 0.0;
  const Curve* curve = nullptr;
};

/// Curve names at their ends; "" if they do not fit, and a legend is shown instead.
std::string end_labels(const Plot& plot, const Axes& axes) {
  std::vector<EndLabel> labels;
  std::size_t longest = 0;
  for (const Curve& curve : plot.curves) {
    const double y = (1.0 - axes.y.position(last_value(main_line(curve)))) * plot.height;
    if (!std::isfinite(y)) continue;
    labels.push_back({y, &curve});
    longest = std::max(longest, curve.name.size());
  }
  if (kLabelHeight * static_cast<double>(labels.size()) > plot.height) return "";
  std::sort(labels.begin(), labels.end(), [](const EndLabel& a, const EndLabel& b) { return a.y < b.y; });
  std::vector<double> wanted;
  for (const EndLabel& label : labels) wanted.push_back(label.y);
  const std::vector<double> places = apart(wanted, plot.height);

  const double width = std::clamp(22.0 + 6.8 * static_cast<double>(longest), 56.0, 150.0);
  std::string leaders, names;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string& colour = labels[i].curve->colour;
    leaders +=
        "<path class=\"" + colour + "\" d=\"M0 " + coordinate(labels[i].y) + "L12 " + coordinate(places[i]) + "\"/>";
    names += "<span class=\"" + colour + "\" style=\"top:" + px(places[i]) + "\">" + escaped(labels[i].curve->name) +
             "</span>";
  }
  const std::string height = std::to_string(plot.height);
  return "<div class=\"ends\" style=\"width:" + px(width) + "\" aria-hidden=\"true\"><svg width=\"14\" height=\"" +
         height + "\" viewBox=\"0 0 14 " + height + "\">" + leaders + "</svg>" + names + "</div>\n";
}

std::string value_text(double value, Unit unit) {
  if (unit == Unit::percent) return percent(value);
  if (unit == Unit::compact) return std::abs(value) < 100.0 ? decimal(value, 1) : grouped(std::llround(value));
  return decimal(value, std::abs(value) < 0.01 ? 6 : 4);
}

std::string legend(const Plot& plot) {
  std::string html = "<ul class=\"legend\">";
  for (const Curve& curve : plot.curves) {
    const double last = last_value(main_line(curve));
    html += "<li class=\"" + curve.colour + "\"><i></i>" + escaped(curve.name) +
            (std::isfinite(last) ? " <b>" + value_text(last, plot.unit) + "</b>" : "") + "</li>";
  }
  return html + "</ul>\n";
}

/// Text description of the plot for screen readers.
std::string description(const Plot& plot, const Axes& axes) {
  std::string text = plot.title + " over " + (axes.epochs ? "epochs" : "steps") + " 0 to " + decimal(axes.x.high, 2) +
                     (axes.y.logarithmic ? ", logarithmic axis." : ".");
  for (const Curve& curve : plot.curves) {
    Extent extent;
    for (const double value : main_line(curve)) extent.add(value);
    if (!std::isfinite(extent.low)) continue;
    text += " " + curve.name + ": last " + value_text(last_value(main_line(curve)), plot.unit) + ", lowest " +
            value_text(extent.low, plot.unit) + ", highest " + value_text(extent.high, plot.unit) + ".";
  }
  return text;
}

std::string drawn_curve(const Curve& curve, const Axes& axes, double height) {
  std::vector<double> x, y;
  for (const double step : curve.steps) x.push_back(axes.x.position(x_of(curve, step, axes.epochs)) * kWidth);
  const auto place = [&](const std::vector<double>& values) {
    y.clear();
    for (const double value : values) y.push_back((1.0 - axes.y.position(value)) * height);
  };
  const auto element = [&](const char* look, const std::string& d) {
    return d.empty() ? "" : "<path class=\"" + (curve.colour + look) + "\" d=\"" + d + "\"/>";
  };
  place(curve.y);
  if (curve.smooth.empty()) {
    return element("", path(x, y, kWidth, kColumns)) +
           (curve.points && curve.steps.size() <= 40 ? element(" dot", dots(x, y)) : "");
  }
  std::string html = curve.faint ? element(" faint", path(x, y, kWidth, kColumns)) : "";
  place(curve.smooth);
  return html + element("", path(x, y, kWidth, kSmoothColumns));
}

std::string area(const Plot& plot, const Axes& axes) {
  const double height = plot.height;
  std::string grid, references, labels, curves;
  for (const Tick& tick : axes.y.ticks) {
    grid += "M0 " + coordinate((1.0 - axes.y.position(tick.value)) * height) + "h1000";
  }
  for (const Tick& tick : axes.x.ticks) {
    grid += concat("M", coordinate(axes.x.position(tick.value) * kWidth), " 0v", plot.height);
  }
  for (const Reference& reference : plot.references) {
    const double position = axes.y.position(reference.y);
    if (!(position > 0.0 && position < 1.0)) continue;
    const double y = (1.0 - position) * height;
    references += "M0 " + coordinate(y) + "h1000";
    labels += "<span class=\"reference\" style=\"top:" + px(y) + "\">" + escaped(reference.label) + "</span>";
  }
  for (const Curve& curve : plot.curves) curves += drawn_curve(curve, axes, height);
  return "<div class=\"area\" tabindex=\"0\"><svg viewBox=\"0 0 1000 " + std::to_string(plot.height) +
         "\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"" + escaped(description(plot, axes)) +
         "\"><path class=\"grid\" d=\"" + grid + "\"/>" +
         (references.empty() ? "" : "<path class=\"rule\" d=\"" + references + "\"/>") + curves + "</svg>" + labels +
         "</div>\n";
}

std::string axis_labels(const Plot& plot, const Axes& axes) {
  std::string y, x;
  for (const Tick& tick : axes.y.ticks) {
    y += "<span style=\"top:" + px((1.0 - axes.y.position(tick.value)) * plot.height) + "\">" + tick.label + "</span>";
  }
  for (const Tick& tick : axes.x.ticks) {
    x += "<span style=\"left:" + coordinate(100.0 * axes.x.position(tick.value), 2) + "%\">" + tick.label + "</span>";
  }
  return "<div class=\"yaxis\" aria-hidden=\"true\">" + y + "</div>\n<div class=\"xaxis\" aria-hidden=\"true\">" + x +
         "<em>" + (axes.epochs ? "epoch" : "step") + "</em></div>\n";
}

std::string array(const std::vector<double>& values, const std::vector<std::size_t>& indices) {
  std::string text;
  for (const std::size_t i : indices) {
    text += text.empty() ? "[" : ",";
    text += json_number(values[i]);
  }
  return text.empty() ? "[]" : text + "]";
}

/// JSON string inside a script element, where "<" could start the closing tag.
std::string json_text(const std::string& text) {
  std::string json = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      json += '\\';
      json += letter;
    } else if (static_cast<unsigned char>(letter) < 0x20 || letter == '<') {
      json += letter == '<' ? "\\u003c" : " ";
    } else {
      json += letter;
    }
  }
  return json + "\"";
}

/// Data for the script's crosshair: the axes and all curves, grouped by equal steps.
std::string data(const Plot& plot, const Axes& axes) {
  const auto end = plot.curves.end();
  const std::size_t most = plot.curves.size() > 4 ? 400 : 800;
  std::string groups;
  for (auto first = plot.curves.begin(); first != end;) {
    const auto last = std::find_if(first, end, [&](const Curve& curve) {
      return curve.steps != first->steps || curve.steps_per_epoch != first->steps_per_epoch;
    });
    const std::vector<std::size_t> indices = spread_indices(first->steps.size(), most);
    std::string curves;
    for (auto curve = first; curve != last; ++curve) {
      curves += (curve == first ? "{" : ",{") + ("\"name\":" + json_text(curve->name)) + ",\"colour\":\"" +
                curve->colour + "\",\"y\":" + array(curve->y, indices) +
                (curve->smooth.empty() ? "" : ",\"smooth\":" + array(curve->smooth, indices)) + "}";
    }
    groups += (groups.empty() ? "{" : ",\n{") + ("\"perEpoch\":" + json_number(first->steps_per_epoch)) +
              ",\"steps\":" + array(first->steps, indices) + ",\"curves\":[" + curves + "]}";
    first = last;
  }
  static constexpr const char* kUnits[] = {"number", "percent", "compact"};
  return "<script type=\"application/json\">{\"epochs\":" + std::string(axes.epochs ? "true" : "false") + ",\"x\":[" +
         json_number(axes.x.low) + "," + json_number(axes.x.high) + "],\"y\":[" + json_number(axes.y.low) + "," +
         json_number(axes.y.high) + "],\"log\":" + (axes.y.logarithmic ? "true" : "false") + ",\"unit\":\"" +
         kUnits[static_cast<int>(plot.unit)] + "\",\"groups\":[" + groups + "]}</script>\n";
}

}  // namespace

std::string to_html(const Plot& whole) {
  Plot plot = whole;
  std::erase_if(plot.curves, [](const Curve& curve) { return !std::isfinite(last_value(main_line(curve))); });
  if (plot.curves.empty()) return "";

  Axes axes;
  axes.epochs = std::all_of(plot.curves.begin(), plot.curves.end(),
                            [](const Curve& curve) { return curve.steps_per_epoch > 0.0; });
  double x_high = 0.0;
  for (const Curve& curve : plot.curves) {
    if (!curve.steps.empty()) x_high = std::max(x_high, x_of(curve, curve.steps.back(), axes.epochs));
  }
  axes.x = linear_scale(0.0, x_high, axes.epochs ? Unit::number : Unit::compact, 6, false);
  Extent extent = extent_of(plot);
  for (const Reference& reference : plot.references) {
    if (reference.y < 1.3 * extent.high && reference.y > extent.low / 1.3) extent.add(reference.y);
  }
  axes.y = y_scale(plot, extent);

  // With at most one curve, the title names it.
  const bool named = plot.named && whole.curves.size() > 1;
  const std::string ends = named ? end_labels(plot, axes) : "";
  return "<figure class=\"plot" + std::string(named && ends.empty() ? " unlabelled" : "") +
         "\" style=\"--h:" + std::to_string(plot.height) + "px\">\n<figcaption>" + escaped(plot.title) +
         (axes.y.logarithmic ? " <small>logarithmic</small>" : "") + "</figcaption>\n" + (named ? legend(plot) : "") +
         "<div class=\"frame\">\n" + area(plot, axes) + ends + axis_labels(plot, axes) + "</div>\n" +
         (plot.note.empty() ? "" : "<p class=\"note\">" + escaped(plot.note) + "</p>\n") + data(plot, axes) +
         "</figure>\n";
}

}  // namespace minception::report
