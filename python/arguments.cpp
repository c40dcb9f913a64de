#include "python/arguments.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

namespace minception::python {
namespace {

bool is_bool(nb::handle value) { return PyBool_Check(value.ptr()); }

/// An int, or an object with __index__ such as a NumPy integer; no bool, no float.
std::optional<std::int64_t> as_integer(nb::handle value) {
  if (is_bool(value) || !PyIndex_Check(value.ptr())) return std::nullopt;
  const nb::object index = nb::steal(PyNumber_Index(value.ptr()));
  if (!index.is_valid()) nb::raise_python_error();
  const std::int64_t number = PyLong_AsLongLong(index.ptr());
  if (number == -1 && PyErr_Occurred()) nb::raise_python_error();  // OverflowError
  return number;
}

std::optional<double> as_number(nb::handle value) {
  if (is_bool(value) || !(PyFloat_Check(value.ptr()) || PyNumber_Check(value.ptr()))) return std::nullopt;
  const double number = PyFloat_AsDouble(value.ptr());
  if (number == -1.0 && PyErr_Occurred()) {
    PyErr_Clear();
    return std::nullopt;
  }
  return number;
}

bool is_list(nb::handle value) { return nb::isinstance<nb::list>(value) || nb::isinstance<nb::tuple>(value); }

}  // namespace

void raise_type_error(const std::string& message) { throw nb::type_error(message.c_str()); }

void raise_wrong_type(const std::string& what, const char* accepted, nb::handle value) {
  raise_type_error(concat(what, " must be ", accepted, ", not ", nb::type_name(value.type()).c_str()));
}

bool Argument<bool>::from(nb::handle value, const std::string& what) {
  if (!is_bool(value)) raise_wrong_type(what, "True or False", value);
  return value.is(nb::handle(Py_True));
}
nb::object Argument<bool>::to(const bool& value) { return nb::bool_(value); }

std::int64_t Argument<std::int64_t>::from(nb::handle value, const std::string& what) {
  const std::optional<std::int64_t> number = as_integer(value);
  if (!number) raise_wrong_type(what, "an int", value);
  return *number;
}
nb::object Argument<std::int64_t>::to(const std::int64_t& value) { return nb::int_(value); }

int Argument<int>::from(nb::handle value, const std::string& what) {
  const std::int64_t number = Argument<std::int64_t>::from(value, what);
  require(number == static_cast<int>(number), what, " = ", number, ": too large");
  return static_cast<int>(number);
}
nb::object Argument<int>::to(const int& value) { return nb::int_(value); }

std::uint64_t Argument<std::uint64_t>::from(nb::handle value, const std::string& what) {
  const std::int64_t number = Argument<std::int64_t>::from(value, what);
  require(number >= 0, what, " = ", number, ": must be 0 or more");
  return static_cast<std::uint64_t>(number);
}
nb::object Argument<std::uint64_t>::to(const std::uint64_t& value) { return nb::int_(value); }

double Argument<double>::from(nb::handle value, const std::string& what) {
  const std::optional<double> number = as_number(value);
  if (!number) raise_wrong_type(what, "a float", value);
  return *number;
}
nb::object Argument<double>::to(const double& value) { return nb::float_(value); }

std::string Argument<std::string>::from(nb::handle value, const std::string& what) {
  if (!nb::isinstance<nb::str>(value)) raise_wrong_type(what, "a str", value);
  return nb::cast<std::string>(value);
}
nb::object Argument<std::string>::to(const std::string& value) { return nb::cast(value); }

Extent2d Argument<Extent2d>::from(nb::handle value, const std::string& what) {
  const char* accepted = "an int or a pair of ints (height, width)";
  if (const std::optional<std::int64_t> both = as_integer(value)) return *both;
  if (!is_list(value) || nb::len(value) != 2) raise_wrong_type(what, accepted, value);
  const std::optional<std::int64_t> height = as_integer(value[0]), width = as_integer(value[1]);
  if (!height || !width) raise_wrong_type(what, accepted, height ? value[1] : value[0]);
  return {*height, *width};
}
nb::object Argument<Extent2d>::to(const Extent2d& value) {
  if (value.h == value.w) return nb::int_(value.h);
  return nb::make_tuple(value.h, value.w);
}

std::filesystem::path Argument<std::filesystem::path>::from(nb::handle value, const std::string& what) {
  std::filesystem::path path;
  if (!nb::try_cast(value, path)) raise_wrong_type(what, "a str or an os.PathLike", value);
  return path;
}
nb::object Argument<std::filesystem::path>::to(const std::filesystem::path& value) { return nb::cast(value.string()); }

std::vector<std::string> Argument<std::vector<std::string>>::from(nb::handle value, const std::string& what) {
  if (!is_list(value)) raise_wrong_type(what, "a list of str", value);
  std::vector<std::string> texts;
  for (const nb::handle each : value) texts.push_back(Argument<std::string>::from(each, what + ": each element"));
  return texts;
}
nb::object Argument<std::vector<std::string>>::to(const std::vector<std::string>& value) {
  return nb::tuple(nb::cast(value));
}

std::vector<double> Argument<std::vector<double>>::from(nb::handle value, const std::string& what) {
  if (const std::optional<double> number = as_number(value)) return {*number};
  if (!is_list(value)) raise_wrong_type(what, "a float or a list of floats", value);
  std::vector<double> numbers;
  for (const nb::handle each : value) numbers.push_back(Argument<double>::from(each, what + ": each element"));
  return numbers;
}
nb::object Argument<std::vector<double>>::to(const std::vector<double>& value) {
  if (value.size() == 1) return nb::float_(value[0]);
  return nb::tuple(nb::cast(value));
}

std::string repr_of(nb::handle value) { return nb::repr(value).c_str(); }

Arguments::Arguments(std::string function, const std::vector<std::string>& names, std::size_t positional,
                     const nb::args& args, const nb::kwargs& kwargs)
    : function_(std::move(function)) {
  if (args.size() > positional) {
    raise_type_error(concat(function_, "() takes ", positional, " positional arguments, ", args.size(), " were given"));
  }
  for (std::size_t i = 0; i < args.size(); ++i) values_[names[i]] = args[i];
  for (const auto& [key, value] : kwargs) {
    const std::string name = nb::cast<std::string>(key);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      std::string known;
      for (const std::string& each : names) known += (known.empty() ? "" : ", ") + each;
      raise_type_error(concat(function_, "() has no argument '", name, "'",
                              known.empty() ? std::string("; it takes none") : "; it has " + known));
    }
    if (!values_.emplace(name, value).second) raise_type_error(concat(function_, "(): ", name, " is given twice"));
  }
}

void Arguments::require_given(const std::string& name) const {
  if (!given(name)) raise_type_error(concat(function_, "() lacks the argument '", name, "'"));
}

std::string signature(const std::string& function, const std::string& first,
                      const std::vector<FormalParameter>& parameters, std::size_t positional,
                      const std::string& result) {
  std::string text = "def " + function + "(" + first;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (i == positional) text += text.ends_with("(") ? "*" : ", *";
    text += (text.ends_with("(") ? "" : ", ") + parameters[i].name + ": " + parameters[i].type;
    if (!parameters[i].default_text.empty()) text += " = " + parameters[i].default_text;
  }
  return text + ") -> " + result;
}

}  // namespace minception::python
