#pragma once
/// Reads pickles of protocol 2 as written by Python 2 for CIFAR-10 (for the operations see Python's pickletools.py).
/// Calls in a pickle are returned as data and never executed; names are not resolved. Supports only the operations that
/// these files use.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minception {

/// A value in a pickle. `items` point into the Pickle that owns it.
struct PickleValue {
  enum class Kind : std::uint8_t { none, boolean, integer, bytes, tuple, list, dict, global, call };

  Kind kind = Kind::none;
  std::size_t offset = 0;               ///< file offset of the operation that created it
  std::int64_t integer = 0;             ///< for boolean and integer
  std::span<const std::uint8_t> bytes;  ///< Python 2's str, a view into the file
  std::string global;                   ///< "numpy.ndarray"
  /// tuple, list: elements; dict: key, value, key, value, ...; call: callee, tuple of arguments and, optionally, the
  /// state set on the result.
  std::vector<const PickleValue*> items;

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

/// Name of a kind in messages: "a list".
const char* name_of(PickleValue::Kind kind);

class Pickle {
 public:
  /// Reads `file`, which must outlive the pickle. Throws Error with `name` and the offset for a truncated file, an
  /// unknown operation, missing operands, and more than 2^20 values.
  Pickle(std::span<const std::uint8_t> file, std::string name);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& root() const { return *root_; }

  // These functions throw Error with the file name and the value's offset if the value is not as expected.
  const PickleValue& member(const PickleValue& dict, std::string_view key) const;
  const PickleValue& expect(const PickleValue& value, PickleValue::Kind kind, std::string_view what) const;
  /// Items of a call of `global` with `arguments` arguments and a state.
  std::span<const PickleValue* const> expect_call(const PickleValue& value, std::string_view global,
                                                  std::size_t arguments, std::string_view what) const;
  [[noreturn]] void fail_at(std::size_t offset, const std::string& what) const;

 private:
  class Machine;

  std::string name_;
  std::deque<PickleValue> values_;  // all values; none owns another, so nesting does not cause recursion
  const PickleValue* root_ = nullptr;
};

}  // namespace minception
