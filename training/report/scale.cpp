/// Axes with round numbers.

#include "training/report/scale.h"
#include "training/report/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <string_view>

namespace minception::report {
namespace {

/// The smallest 1, 2 or 5 times a power of ten that is at least `step`.
double round_step(double step) {
  const double power = std::pow(10.0, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (step <= factor * power * (1.0 + 1e-9)) return factor * power;
  }
  return 10.0 * power;
}

std::string superscript(int exponent) {
  static constexpr std::array<std::string_view, 10> kDigits = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "⁻" : "";
  for (const char digit : std::to_string(std::abs(exponent))) text += kDigits[static_cast<std::size_t>(digit - '0')];
  return text;
}

std::string power_label(int factor, int exponent) {
  if (exponent >= -3 && exponent <= 3) return decimal(factor * std::pow(10.0, exponent), 3);
  return (factor == 1 ? "" : std::to_string(factor) + "·") + "10" + superscript(exponent);
}

std::string linear_label(double value, double step, Unit unit) {
  if (unit == Unit::compact) return compact(value);
  if (unit == Unit::percent) {
    value *= 100.0;
    step *= 100.0;
  }
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  std::string label;
  if (digits > 4 && value != 0.0) {
    const int exponent = static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
    label = decimal(value / std::pow(10.0, exponent), 2) + "·10" + superscript(exponent);
  } else {
    label = std::abs(value) >= 1e5 ? compact(value) : fixed(value, value == 0.0 ? 0 : digits);
  }
  return unit == Unit::percent ? label + "\u00a0%" : label;
}

}  // namespace

double Scale::position(double value) const {
  if (!logarithmic) return (value - low) / (high - low);
  return value > 0.0 ? std::log(value / low) / std::log(high / low) : std::nan("");
}

Scale linear_scale(double low, double high, Unit unit, int ticks, bool widen) {
  // For a smaller range, labels would repeat.
  if (!(high - low > 1e-9 * std::max(std::abs(low), std::abs(high)))) {
    const double room = low == 0.0 ? 1.0 : 0.5 * std::abs(low);
    low -= low == 0.0 ? 0.0 : room;
    high += room;
  }
  const double step = round_step((high - low) / ticks);
  Scale scale{.low = low, .high = high, .ticks = {}};
  const double first = widen ? std::floor(low / step + 1e-9) : std::ceil(low / step - 1e-9);
  const double last = widen ? std::ceil(high / step - 1e-9) : std::floor(high / step + 1e-9);
  for (double n = first; n <= last; ++n) {
    const double value = n == 0.0 ? 0.0 : n * step;
    scale.ticks.push_back({value, linear_label(value, step, unit)});
  }
  if (widen) {
    scale.low = first * step;
    scale.high = last * step;
  }
  return scale;
}

Scale logarithmic_scale(double low, double high, int ticks) {
  if (!(high / low > 1.0 + 1e-9)) {
    low /= 2.0;
    high *= 2.0;
  }
  const double room = std::pow(high / low, 0.03);
  Scale scale{.low = low / room, .high = high * room, .logarithmic = true, .ticks = {}};
  const int first = static_cast<int>(std::floor(std::log10(scale.low)));
  const int last = static_cast<int>(std::ceil(std::log10(scale.high)));
  const auto fill = [&](std::initializer_list<int> factors, int stride) {
    scale.ticks.clear();
    for (int exponent = first; exponent <= last; ++exponent) {
      if (exponent % stride != 0) continue;
      for (const int factor : factors) {
        const double value = factor * std::pow(10.0, exponent);
        if (value >= scale.low && value <= scale.high) scale.ticks.push_back({value, power_label(factor, exponent)});
      }
    }
    return static_cast<int>(scale.ticks.size());
  };
  if (fill({1}, 1) >= 4) {
    for (int stride = 2; static_cast<int>(scale.ticks.size()) > ticks + 1; ++stride) fill({1}, stride);
  } else if (fill({1, 3}, 1) < 4 && fill({1, 2, 5}, 1) < 3) {
    // Within less than a decade, linear ticks are closer together.
    const Scale linear = linear_scale(scale.low, scale.high, Unit::number, ticks, false);
    scale.ticks = linear.ticks;
  }
  return scale;
}

}  // namespace minception::report
