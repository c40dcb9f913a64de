/// Smoothing and thinning of curves.

#include "training/report/curve.h"
#include "training/report/text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace minception::report {
namespace {

bool drawable(double x, double y) { return std::isfinite(x) && std::isfinite(y); }

/// Calls `group(indices)` with the points to draw of every column, in order, and `gap()` for every point that is not
/// finite.
template <class Group, class Gap>
void for_each_column(std::span<const double> x, std::span<const double> y, double width, int columns, Group group,
                     Gap gap) {
  const bool thin = x.size() > 2 * static_cast<std::size_t>(columns);
  for (std::size_t begin = 0; begin < x.size();) {
    if (!drawable(x[begin], y[begin])) {
      gap();
      ++begin;
      continue;
    }
    const auto column = [&](std::size_t i) { return std::floor(x[i] / width * columns); };
    std::size_t end = begin + 1;
    while (thin && end < x.size() && drawable(x[end], y[end]) && column(end) == column(begin)) ++end;
    std::array<std::size_t, 4> kept = {begin, begin, begin, end - 1};
    for (std::size_t i = begin; i < end; ++i) {
      if (y[i] < y[kept[1]]) kept[1] = i;
      if (y[i] > y[kept[2]]) kept[2] = i;
    }
    std::sort(kept.begin(), kept.end());
    group(std::span(kept.begin(), std::unique(kept.begin(), kept.end())));
    begin = end;
  }
}

void append_point(std::string& path, char command, double x, double y) {
  path += command;
  path += coordinate(x);
  path += ' ';
  path += coordinate(y);
}

}  // namespace

std::vector<double> smoothed(std::span<const double> values, double reach, bool logarithmic) {
  const double keep = std::exp(-1.0 / reach);
  const auto value = [&](std::size_t i) { return logarithmic ? std::log(values[i]) : values[i]; };
  std::vector<double> sum(values.size()), weight(values.size());
  const auto sweep = [&](std::size_t i, double& running_sum, double& running_weight) {
    running_sum *= keep;
    running_weight *= keep;
    sum[i] += running_sum;
    weight[i] += running_weight;
    if (!std::isfinite(value(i))) return;
    running_sum += value(i);
    running_weight += 1.0;
  };
  double forward_sum = 0.0, forward_weight = 0.0, backward_sum = 0.0, backward_weight = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) sweep(i, forward_sum, forward_weight);
  for (std::size_t i = values.size(); i-- > 0;) sweep(i, backward_sum, backward_weight);
  std::vector<double> result(values.size(), kNotANumber);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(value(i))) continue;
    const double mean = (sum[i] + value(i)) / (weight[i] + 1.0);
    result[i] = logarithmic ? std::exp(mean) : mean;
  }
  return result;
}

double smoothing_reach(std::size_t lines) {
  const double count = static_cast<double>(lines);
  // Short curves show the trend without smoothing; above 10,000 lines the reach grows with the lines per pixel.
  return lines < 30 ? 0.0 : std::round(std::max(std::clamp(count / 80.0, 2.0, 25.0), count / 400.0));
}

double last_value(std::span<const double> values) {
  const auto found = std::find_if(values.rbegin(), values.rend(), [](double value) { return std::isfinite(value); });
  return found == values.rend() ? kNotANumber : *found;
}

std::string path(std::span<const double> x, std::span<const double> y, double width, int columns) {
  std::string text;
  std::size_t in_this_line = 0;
  const auto end_line = [&] {
    // The round line cap draws a line of length 0 as a dot.
    if (in_this_line == 1) text += "h0";
    in_this_line = 0;
  };
  for_each_column(
      x, y, width, columns,
      [&](std::span<const std::size_t> points) {
        for (const std::size_t i : points) append_point(text, in_this_line++ == 0 ? 'M' : 'L', x[i], y[i]);
      },
      end_line);
  end_line();
  return text;
}

std::string dots(std::span<const double> x, std::span<const double> y) {
  std::string text;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!drawable(x[i], y[i])) continue;
    append_point(text, 'M', x[i], y[i]);
    text += "h0";
  }
  return text;
}

std::vector<std::size_t> spread_indices(std::size_t count, std::size_t most) {
  std::vector<std::size_t> indices;
  const std::size_t kept = std::min(count, most);
  for (std::size_t i = 0; i < kept; ++i) {
    indices.push_back(kept == 1 ? count - 1 : (i * (count - 1) + (kept - 1) / 2) / (kept - 1));
  }
  return indices;
}

}  // namespace minception::report
