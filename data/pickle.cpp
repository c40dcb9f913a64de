#include "data/pickle.h"
#include "core/error.h"

#include <algorithm>
#include <utility>

namespace minception {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kMostValues = std::size_t{1} << 20;  // a batch of CIFAR-10 has 20,026

/// Named as in pickletools.py.
enum class Operation : std::uint8_t {
  mark = '(',
  stop = '.',
  none = 'N',
  new_true = 0x88,
  new_false = 0x89,
  binint1 = 'K',
  binint2 = 'M',
  binint = 'J',
  short_binstring = 'U',
  binstring = 'T',
  binput = 'q',
  long_binput = 'r',
  binget = 'h',
  long_binget = 'j',
  empty_tuple = ')',
  empty_list = ']',
  empty_dict = '}',
  tuple = 't',
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  append = 'a',
  appends = 'e',
  setitem = 's',
  setitems = 'u',
  global = 'c',
  reduce = 'R',
  build = 'b',
};

constexpr const char* kRemedy = "; copy or download it again";

}  // namespace

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::none:
      return "None";
    case Kind::boolean:
      return "a truth value";
    case Kind::integer:
      return "a number";
    case Kind::bytes:
      return "a string of bytes";
    case Kind::tuple:
      return "a tuple";
    case Kind::list:
      return "a list";
    case Kind::dict:
      return "a dictionary";
    case Kind::global:
      return "a name";
    case Kind::call:
      return "an object";
  }
  return "?";
}

/// Stack machine that interprets a pickle.
class Pickle::Machine {
 public:
  Machine(Pickle& pickle, std::span<const std::uint8_t> file) : pickle_(pickle), file_(file) {}

  const PickleValue* run() {
    require(!file_.empty(), pickle_.name_, ": the file is empty", kRemedy);
    if (byte() != 0x80 || byte() != 2) pickle_.fail_at(0, "not a pickle of protocol 2");
    while (!step()) {
    }
    return stack_.back();
  }

 private:
  /// Runs one operation; returns true after the last.
  bool step() {
    operation_ = at_;
    const auto operation = Operation{byte()};
    switch (operation) {
      case Operation::stop:
        check(stack_.size() == 1 && marks_.empty(), "the end comes with ", stack_.size(),
              " values on the stack, not 1");
        check(at_ == file_.size(), file_.size() - at_, " bytes follow behind the end");
        return true;
      case Operation::mark:
        marks_.push_back(stack_.size());
        break;
      case Operation::none:
        push(Kind::none);
        break;
      case Operation::new_true:
      case Operation::new_false:
        push(Kind::boolean).integer = operation == Operation::new_true ? 1 : 0;
        break;
      case Operation::binint1:
        push(Kind::integer).integer = byte();
        break;
      case Operation::binint2:
        push(Kind::integer).integer = static_cast<std::int64_t>(little_endian(2));
        break;
      case Operation::binint:
        push(Kind::integer).integer = static_cast<std::int32_t>(little_endian(4));
        break;
      case Operation::short_binstring:
        push_bytes(byte());
        break;
      case Operation::binstring:
        push_bytes(little_endian(4));
        break;
      case Operation::binput:
        remember(byte());
        break;
      case Operation::long_binput:
        remember(little_endian(4));
        break;
      case Operation::binget:
        recall(byte());
        break;
      case Operation::long_binget:
        recall(little_endian(4));
        break;
      case Operation::empty_tuple:
        push(Kind::tuple);
        break;
      case Operation::empty_list:
        push(Kind::list);
        break;
      case Operation::empty_dict:
        push(Kind::dict);
        break;
      case Operation::tuple:
        make_tuple(to_mark());
        break;
      case Operation::tuple1:
        make_tuple(from_top(1));
        break;
      case Operation::tuple2:
        make_tuple(from_top(2));
        break;
      case Operation::tuple3:
        make_tuple(from_top(3));
        break;
      case Operation::append:
        extend(Kind::list, from_top(1));
        break;
      case Operation::appends:
        extend(Kind::list, to_mark());
        break;
      case Operation::setitem:
        extend(Kind::dict, from_top(2));
        break;
      case Operation::setitems:
        extend(Kind::dict, to_mark());
        break;
      case Operation::global:
        push_global();
        break;
      case Operation::reduce:
        call();
        break;
      case Operation::build:
        set_state();
        break;
      default:
        fail_here("operation ", static_cast<int>(operation), " is not one that the files of CIFAR-10 use");
    }
    return false;
  }

  template <class... Args>
  [[noreturn]] void fail_here(const Args&... what) const {
    pickle_.fail_at(operation_, concat(what...));
  }
  template <class... Args>
  void check(bool condition, const Args&... what) const {
    if (!condition) fail_here(what...);
  }

  std::span<const std::uint8_t> take(std::uint64_t count) {
    if (count > file_.size() - at_) {
      fail(pickle_.name_, ": offset ", operation_, ": ", count, " bytes are needed but ", file_.size() - at_,
           " are left: the file is truncated or damaged", kRemedy);
    }
    const auto taken = file_.subspan(at_, static_cast<std::size_t>(count));
    at_ += taken.size();
    return taken;
  }
  std::uint8_t byte() { return take(1)[0]; }
  std::uint64_t little_endian(std::uint64_t count) {
    std::uint64_t value = 0;
    int shift = 0;
    for (const std::uint8_t part : take(count)) {
      value |= std::uint64_t{part} << shift;
      shift += 8;
    }
    return value;
  }

  PickleValue& push(Kind kind) {
    check(pickle_.values_.size() < kMostValues, "there are more than ", kMostValues, " values");
    PickleValue& value = pickle_.values_.emplace_back();
    value.kind = kind;
    value.offset = operation_;
    stack_.push_back(&value);
    return value;
  }
  void push_bytes(std::uint64_t count) { push(Kind::bytes).bytes = take(count); }

  /// Module and name, one line each, are stored as text and not resolved.
  void push_global() {
    std::string text;
    for (int lines = 0; lines < 2;) {
      check(text.size() < 200, "a name is longer than 200 letters");
      const std::uint8_t letter = byte();
      check(letter == '\n' || (letter > ' ' && letter < 0x7f), "a name holds the byte ", int{letter});
      if (letter != '\n') {
        text += static_cast<char>(letter);
      } else if (++lines == 1) {
        text += '.';
      }
    }
    constexpr std::string_view kKnown[] = {"numpy.core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype"};
    check(std::find(std::begin(kKnown), std::end(kKnown), text) != std::end(kKnown), "the pickle refers to ", text,
          ", which the files of CIFAR-10 do not; nothing in it was executed");
    push(Kind::global).global = std::move(text);
  }

  /// Index of the first value above the last mark, which is removed.
  std::size_t to_mark() {
    check(!marks_.empty(), "a mark is missing");
    const std::size_t mark = marks_.back();
    marks_.pop_back();
    return mark;
  }
  std::size_t from_top(std::size_t count) {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    check(stack_.size() - floor >= count, "there are ", stack_.size() - floor, " values to work on, ", count,
          " are needed");
    return stack_.size() - count;
  }
  PickleValue& top() { return *stack_[from_top(1)]; }

  void make_tuple(std::size_t begin) {
    const std::vector<const PickleValue*> items(stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end());
    stack_.resize(begin);
    push(Kind::tuple).items = items;
  }
  void extend(Kind kind, std::size_t begin) {
    const std::vector<const PickleValue*> items(stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end());
    stack_.resize(begin);
    PickleValue& target = top();
    check(target.kind == kind, "something is put into ", name_of(target.kind), " instead of ", name_of(kind));
    check(kind == Kind::list || items.size() % 2 == 0, "a key of a dictionary has no value");
    target.items.insert(target.items.end(), items.begin(), items.end());
  }
  void call() {
    const std::size_t begin = from_top(2);
    const PickleValue *callee = stack_[begin], *arguments = stack_[begin + 1];
    check(callee->kind == Kind::global && arguments->kind == Kind::tuple, name_of(callee->kind), " is called with ",
          name_of(arguments->kind));
    stack_.resize(begin);
    push(Kind::call).items = {callee, arguments};
  }
  void set_state() {
    const std::size_t begin = from_top(2);
    PickleValue& object = *stack_[begin];
    check(object.kind == Kind::call && object.items.size() == 2, "a state is given to ", name_of(object.kind),
          object.kind == Kind::call ? " that has one" : "");
    object.items.push_back(stack_[begin + 1]);
    stack_.resize(begin + 1);
  }

  void remember(std::uint64_t place) {
    check(place < kMostValues, "a value is remembered under ", place, ", above ", kMostValues);
    if (place >= memory_.size()) memory_.resize(static_cast<std::size_t>(place) + 1);
    memory_[static_cast<std::size_t>(place)] = &top();
  }
  void recall(std::uint64_t place) {
    check(place < memory_.size() && memory_[static_cast<std::size_t>(place)] != nullptr, "the memo has no entry ",
          place);
    stack_.push_back(memory_[static_cast<std::size_t>(place)]);
  }

  Pickle& pickle_;
  std::span<const std::uint8_t> file_;
  std::size_t at_ = 0;
  std::size_t operation_ = 0;  // offset of the current operation
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;  // stack heights; operations do not reach below the last one
  std::vector<PickleValue*> memory_;
};

Pickle::Pickle(std::span<const std::uint8_t> file, std::string name) : name_(std::move(name)) {
  root_ = Machine(*this, file).run();
}

void Pickle::fail_at(std::size_t offset, const std::string& what) const {
  fail(name_, ": offset ", offset, ": ", what, "; not a CIFAR-10 file or it is damaged");
}

const PickleValue& Pickle::expect(const PickleValue& value, Kind kind, std::string_view what) const {
  if (value.kind != kind) fail_at(value.offset, concat(what, " is ", name_of(value.kind), ", not ", name_of(kind)));
  return value;
}

const PickleValue& Pickle::member(const PickleValue& dict, std::string_view key) const {
  expect(dict, Kind::dict, "what holds '" + std::string(key) + "'");
  const PickleValue* found = nullptr;
  for (std::size_t i = 0; i < dict.items.size(); i += 2) {
    const PickleValue& name = expect(*dict.items[i], Kind::bytes, "a key");
    if (name.text() != key) continue;
    if (found != nullptr) fail_at(name.offset, concat("'", key, "' is there twice"));
    found = dict.items[i + 1];
  }
  if (found == nullptr) fail_at(dict.offset, concat("the dictionary has no '", key, "'"));
  return *found;
}

std::span<const PickleValue* const> Pickle::expect_call(const PickleValue& value, std::string_view global,
                                                        std::size_t arguments, std::string_view what) const {
  expect(value, Kind::call, what);
  const std::string& name = value.items[0]->global;
  if (name != global) fail_at(value.offset, concat(what, " is made by ", name, ", not by ", global));
  if (value.items[1]->items.size() != arguments) {
    fail_at(value.offset, concat(global, " gets ", value.items[1]->items.size(), " arguments, not ", arguments));
  }
  if (value.items.size() != 3) fail_at(value.offset, concat(what, " has no state"));
  return value.items;
}

}  // namespace minception
