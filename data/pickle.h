#pragma once
/// Pickles of protocol 2, as Python 2 wrote those of CIFAR-10 (the operations are listed in Python's pickletools.py).
/// Reading is syntax alone: a pickle that would have Python call something becomes a record of the call, nothing is
/// looked up or executed. Only the operations that these files use are known.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minception {

/// A value in a pickle. `items` point into the Pickle that it belongs to.
struct PickleValue {
  enum class Kind : std::uint8_t { none, boolean, integer, bytes, tuple, list, dict, global, call };

  Kind kind = Kind::none;
  std::size_t offset = 0;               ///< of the operation that made it
  std::int64_t integer = 0;             ///< boolean and integer
  std::span<const std::uint8_t> bytes;  ///< Python 2's str, in the bytes of the file
  std::string global;                   ///< "numpy.ndarray"
  /// tuple, list; dict: key, value, key, value; call: what is called, a tuple of the arguments and, where it is given, the
  /// state that the result gets.
  std::vector<const PickleValue*> items;

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

/// What a kind is called in messages: "a list".
const char* name_of(PickleValue::Kind kind);

class Pickle {
 public:
  /// Reads `file`, which outlives the pickle. Throws Error with `name` and the offset for a file that ends too early, an
  /// operation that is not known or finds nothing to work on, and more values than 2^20.
  Pickle(std::span<const std::uint8_t> file, std::string name);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& root() const { return *root_; }

  // Each of these throws Error with the file's name and the value's offset if the value is something else.
  const PickleValue& member(const PickleValue& dict, std::string_view key) const;
  const PickleValue& expect(const PickleValue& value, PickleValue::Kind kind, std::string_view what) const;
  /// The call of `global`, with so many arguments and a state: its items.
  std::span<const PickleValue* const> expect_call(const PickleValue& value, std::string_view global,
                                                  std::size_t arguments, std::string_view what) const;
  [[noreturn]] void fail_at(std::size_t offset, const std::string& what) const;

 private:
  class Machine;

  std::string name_;
  std::deque<PickleValue> values_;  // all of them: no value owns another, so depth costs no stack
  const PickleValue* root_ = nullptr;
};

}  // namespace minception
