#pragma once
/// Errors that a person can act on: one line that says what was wrong, with which values, and what to do.

#include <cerrno>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace minception {

/// The one exception type of the library. `what()` is a single line, ready for stderr; where several things are wrong at
/// once, `details()` has a line for each of them.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, std::vector<std::string> details = {})
      : std::runtime_error(what), details_(std::make_shared<const std::vector<std::string>>(std::move(details))) {}
  const std::vector<std::string>& details() const { return *details_; }

 private:
  std::shared_ptr<const std::vector<std::string>> details_;  // copying an exception must not throw
};

/// Writes every argument with `operator<<`, one after the other.
template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

/// What the system says of an error number: "No space left on device".
inline std::string system_message(int number = errno) { return std::generic_category().message(number); }

/// Throws an Error made of the arguments.
template <class... Args>
[[noreturn]] void fail(const Args&... args) {
  throw Error(concat(args...));
}

/// Throws an Error made of the arguments unless `condition` holds.
template <class... Args>
void require(bool condition, const Args&... args) {
  if (!condition) fail(args...);
}

}  // namespace minception
