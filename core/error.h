#pragma once
/// Errors for users: one line with the problem, the values and the remedy.

#include <cerrno>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace minception {

/// The only exception type of the library. `what()` is a single line for stderr. If there are several problems,
/// `details()` has one line for each.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, std::vector<std::string> details = {})
      : std::runtime_error(what), details_(std::make_shared<const std::vector<std::string>>(std::move(details))) {}
  const std::vector<std::string>& details() const { return *details_; }

 private:
  std::shared_ptr<const std::vector<std::string>> details_;  // copying an exception must not throw
};

/// Concatenates the arguments with `operator<<`.
template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

/// System text of an error number, such as "No space left on device".
inline std::string system_message(int number = errno) { return std::generic_category().message(number); }

/// Throws an Error with the concatenated arguments.
template <class... Args>
[[noreturn]] void fail(const Args&... args) {
  throw Error(concat(args...));
}

/// Calls `fail(args...)` unless `condition` holds.
template <class... Args>
void require(bool condition, const Args&... args) {
  if (!condition) fail(args...);
}

}  // namespace minception
