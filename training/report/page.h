#pragma once
/// The page around a report: one HTML file with inline style and script and no external requests.

#include <string>

namespace minception::report {

/// `title` is plain text, `body` HTML.
std::string page(const std::string& title, const std::string& body);

}  // namespace minception::report
