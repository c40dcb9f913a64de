#pragma once
/// The page around a report: one HTML file with its style and its script, which asks nothing of any server.

#include <string>

namespace minception::report {

/// `title` is plain text, `body` HTML.
std::string page(const std::string& title, const std::string& body);

}  // namespace minception::report
