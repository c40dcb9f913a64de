/// Text and number formatting of a report.

#include "training/report/text.h"
#include "core/error.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <system_error>

namespace minception::report {
namespace {

constexpr const char* kNone = "–";
constexpr const char* kNoBreak = "\u00a0";  // no-break space

/// Like printf's %.*f and %.*g, but with a decimal point in every locale, as SVG and JSON require.
std::string printed(double value, std::chars_format format, int digits) {
  std::array<char, 400> text;  // the largest double has 309 digits
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, format, digits);
  return error == std::errc() ? std::string(text.data(), end) : kNone;
}

std::string in_fixed(double value, int digits) { return printed(value, std::chars_format::fixed, digits); }
std::string in_general(double value, int digits) { return printed(value, std::chars_format::general, digits); }

std::string two_digits(long long value) { return concat(value < 10 ? "0" : "", value); }

/// Length in bytes of the UTF-8 character at the beginning of `text`; 0 if invalid (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool beyond = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
  return overlong || beyond ? 0 : length;
}

std::string without_zeros(std::string text) {
  if (text.find('.') != std::string::npos) {
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char letter = text.front();
    const bool control = length == 1 && (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f);
    if (length == 0 || (control && letter != '\n' && letter != '\t')) {
      result += "\xef\xbf\xbd";
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

std::string escaped(std::string_view text) {
  std::string html;
  for (const char letter : printable(text)) {
    switch (letter) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += letter;
    }
  }
  return html;
}

std::string fixed(double value, int digits) {
  if (!std::isfinite(value)) return kNone;
  return std::abs(value) < 1e15 ? in_fixed(value, digits) : in_general(value, digits);
}

std::string decimal(double value, int digits) {
  if (!std::isfinite(value)) return kNone;
  if (value != 0.0 && (std::abs(value) < 0.5 * std::pow(10.0, -digits) || std::abs(value) >= 1e15)) {
    return in_general(value, 2);
  }
  return without_zeros(in_fixed(value, digits));
}

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string file_url(std::string_view path) {
  constexpr std::string_view kPlain = "-._~/";
  std::string url = "file://";
  for (const char letter : path) {
    const bool alphanumeric =
        (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
    char code[4] = "";
    if (!alphanumeric && kPlain.find(letter) == std::string_view::npos) {
      std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(letter)));
      url += code;
    } else {
      url += letter;
    }
  }
  return url;
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t place = digits.size(); place > first + 3;) {
    place -= 3;
    digits.insert(place, 1, ',');
  }
  return digits;
}

std::string compact(double value) {
  if (!std::isfinite(value)) return kNone;
  if (std::abs(value) >= 1e15) return in_general(value, 3);
  static constexpr std::array<const char*, 5> kUnits = {"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  // 999.5 rounds to 1,000, which uses the next unit.
  while (std::abs(value) >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000.0;
    ++unit;
  }
  const int digits = std::abs(value) >= 99.95 ? 0 : std::abs(value) >= 9.995 ? 1 : 2;
  return decimal(value, digits) + kUnits[unit];
}

std::string percent(double share, int digits) {
  return std::isfinite(share) ? fixed(100.0 * share, digits) + kNoBreak + "%" : kNone;
}

std::string byte_size(double bytes) {
  if (!std::isfinite(bytes)) return kNone;
  static constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (std::abs(bytes) >= 1023.5 && unit + 1 < kUnits.size()) {
    bytes /= 1024.0;
    ++unit;
  }
  const int digits = unit == 0 || std::abs(bytes) >= 99.95 ? 0 : std::abs(bytes) >= 9.995 ? 1 : 2;
  return fixed(bytes, digits) + kNoBreak + kUnits[unit];
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0.0 || seconds > 1e15) return kNone;
  if (seconds < 9.95) return decimal(seconds, 1) + " s";
  const long long whole = std::llround(seconds);
  if (whole < 60) return concat(whole, " s");
  if (whole < 3600) return concat(whole / 60, " min ", two_digits(whole % 60), " s");
  if (whole < 86400) return concat(whole / 3600, " h ", two_digits(whole / 60 % 60), " min");
  return concat(whole / 86400, " d ", whole / 3600 % 24, " h");
}

std::string coordinate(double value, int digits) {
  return std::isfinite(value) ? without_zeros(in_fixed(value, digits)) : "null";
}

std::string json_number(double value) { return std::isfinite(value) ? in_general(value, 6) : "null"; }

}  // namespace minception::report
