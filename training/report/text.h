#pragma once
/// Text of a report: safe HTML escaping and number formatting.

#include <cstdint>
#include <string>
#include <string_view>

namespace minception::report {

/// Replaces invalid UTF-8 and control characters by U+FFFD.
std::string printable(std::string_view text);
/// printable, and escaped for HTML content and quoted attributes.
std::string escaped(std::string_view text);

/// `value` with at most `digits` digits after the point and no trailing zeros: "0.1", "12"; "–" for NaN.
std::string decimal(double value, int digits);
/// Exactly `digits` digits after the point, for columns of numbers. "–" for NaN.
std::string fixed(double value, int digits);
/// With an upper-case first letter.
std::string capitalized(std::string text);
/// Path as a file: URL, safe in a quoted attribute.
std::string file_url(std::string_view path);

/// "5,977,530"
std::string grouped(std::int64_t value);
/// About three digits, for axes and headlines: "950", "12.5k", "5.98M".
std::string compact(double value);
/// "91.23 %" for 0.9123
std::string percent(double share, int digits = 2);
/// "1.52 GiB"
std::string byte_size(double bytes);
/// "45 s", "12 min 30 s", "3 h 05 min", "2 d 4 h"
std::string duration(double seconds);
/// Short number for SVG, CSS and JSON; "null" if not finite.
std::string coordinate(double value, int digits = 1);
/// JSON number with six significant digits; "null" if not finite.
std::string json_number(double value);

}  // namespace minception::report
