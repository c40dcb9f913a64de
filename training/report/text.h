#pragma once
/// Text of a report: HTML that cannot be broken by what a file says, numbers as people read them.

#include <cstdint>
#include <string>
#include <string_view>

namespace minception::report {

/// Bytes that are no UTF-8 and control characters become U+FFFD.
std::string printable(std::string_view text);
/// Printable, and safe as content and in a quoted attribute.
std::string escaped(std::string_view text);

/// `value` with at most `digits` digits after the point and no zeros behind: "0.1", "12"; "–" for NaN.
std::string decimal(double value, int digits);
/// Always `digits` digits after the point: numbers that stand below one another. "–" for NaN.
std::string fixed(double value, int digits);
/// With an upper-case first letter.
std::string capitalized(std::string text);
/// A file: URL of a path, safe in a quoted attribute.
std::string file_url(std::string_view path);

/// "5,977,530"
std::string grouped(std::int64_t value);
/// About three digits, for an axis or a headline: "950", "12.5k", "5.98M".
std::string compact(double value);
/// "91.23 %" for 0.9123
std::string percent(double share, int digits = 2);
/// "1.52 GiB"
std::string byte_size(double bytes);
/// "45 s", "12 min 30 s", "3 h 05 min", "2 d 4 h"
std::string duration(double seconds);
/// A number for SVG, CSS and JSON: short, and "null" for what is not finite.
std::string coordinate(double value, int digits = 1);
/// A number of JSON with six significant digits, "null" for what is not finite.
std::string json_number(double value);

}  // namespace minception::report
