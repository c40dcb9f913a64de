#pragma once
/// Errors for users: one line with the problem, the values and the remedy.

#include <cerrno>
#include <cstddef>
#include <memory>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace minception {

/// The name of an option's field in a message: `what()` has that name, tools print the name of their option instead
/// (with_fields).
struct Field {
  std::string_view name;
};
inline std::ostream& operator<<(std::ostream& out, const Field& field) { return out << '\1' << field.name << '\2'; }

/// A field and its value: "pct_start = 2", and in a tool "--pct-start 2".
template <class T>
struct Setting {
  std::string_view name;
  const T& value;
};
template <class T>
Setting(std::string_view, const T&) -> Setting<T>;
template <class T>
std::ostream& operator<<(std::ostream& out, const Setting<T>& setting) {
  return out << '\1' << setting.name << '\3' << setting.value;
}

/// The message with `name_of(field)` for each Field, and that, `between` and the value for each Setting.
template <class F>
std::string with_fields(const std::string& message, F&& name_of, const char* between) {
  std::string text;
  for (std::size_t at = 0;;) {
    const std::size_t begin = message.find('\1', at);
    const std::size_t end = begin == std::string::npos ? begin : message.find_first_of("\2\3", begin);
    if (end == std::string::npos) return text + message.substr(at);
    text += message.substr(at, begin - at) + name_of(message.substr(begin + 1, end - begin - 1));
    if (message[end] == '\3') text += between;
    at = end + 1;
  }
}

/// The only exception type of the library. `what()` is a single line for stderr. If there are several problems,
/// `details()` has one line for each.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, std::vector<std::string> details = {})
      : std::runtime_error(with_fields(
            message, [](const std::string& name) { return name; }, " = ")),
        message_(std::make_shared<const std::string>(message)),
        details_(std::make_shared<const std::vector<std::string>>(std::move(details))) {}
  /// `what()` with its Fields, for messages that contain this one and for `with_fields`.
  const std::string& message() const { return *message_; }
  const std::vector<std::string>& details() const { return *details_; }

 private:
  std::shared_ptr<const std::string> message_;  // copying an exception must not throw
  std::shared_ptr<const std::vector<std::string>> details_;
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
