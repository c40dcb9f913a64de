#pragma once
/// Errors that a person can act on: one line that says what was wrong, with which values, and what to do.

#include <sstream>
#include <stdexcept>
#include <string>

namespace minception {

/// The one exception type of the library. `what()` is a single line, ready for stderr.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Writes every argument with `operator<<`, one after the other.
template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

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
