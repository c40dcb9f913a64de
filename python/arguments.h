#pragma once
/// Python arguments for structs that list their members, as the options of layers do (layers/settings.h):
///
///   f("lr", options.lr); f("momentum", options.momentum); ...
///
/// From such a list follow the keyword arguments of a constructor, its signature for help and type stubs, attributes
/// and the representation. An argument that was not given keeps the member's default.

#include "core/error.h"
#include "core/shape.h"

#include <nanobind/nanobind.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace minception::python {

namespace nb = nanobind;

/// Raises TypeError: "Conv2d(): stride must be ..., not str".
[[noreturn]] void raise_wrong_type(const std::string& what, const char* accepted, nb::handle value);
[[noreturn]] void raise_type_error(const std::string& message);

/// Conversions of one member. Each type has: its annotation, Python to C++ and C++ to Python.
template <class T, class = void>
struct Argument;

#define MINCEPTION_ARGUMENT(Type, annotation)                    \
  template <>                                                    \
  struct Argument<Type> {                                        \
    static constexpr const char* kType = annotation;             \
    static Type from(nb::handle value, const std::string& what); \
    static nb::object to(const Type& value);                     \
  }
MINCEPTION_ARGUMENT(bool, "bool");
MINCEPTION_ARGUMENT(int, "int");
MINCEPTION_ARGUMENT(std::int64_t, "int");
MINCEPTION_ARGUMENT(std::uint64_t, "int");
MINCEPTION_ARGUMENT(double, "float");
MINCEPTION_ARGUMENT(std::string, "str");
MINCEPTION_ARGUMENT(Extent2d, "int | tuple[int, int]");
MINCEPTION_ARGUMENT(std::filesystem::path, "str | os.PathLike");
MINCEPTION_ARGUMENT(std::vector<std::string>, "collections.abc.Sequence[str]");
MINCEPTION_ARGUMENT(std::vector<double>, "float | collections.abc.Sequence[float]");
#undef MINCEPTION_ARGUMENT

/// Enums with name_of(value) and parse_name(text, value) are strings.
template <class E>
struct Argument<E, std::enable_if_t<std::is_enum_v<E>>> {
  static constexpr const char* kType = "str";
  static E from(nb::handle value, const std::string& what) {
    E parsed{};
    parse_name(Argument<std::string>::from(value, what), parsed);
    return parsed;
  }
  static nb::object to(E value) { return Argument<std::string>::to(std::string(name_of(value))); }
};

/// Classes of the module.
template <class T>
struct BoundArgument {
  static T from(nb::handle value, const std::string& what) {
    T* bound = nullptr;
    if (!nb::try_cast(value, bound) || bound == nullptr) raise_wrong_type(what, Argument<T>::kType, value);
    return *bound;
  }
  static nb::object to(const T& value) { return nb::cast(value); }
};

std::string repr_of(nb::handle value);

/// The arguments of one call, taken by name.
class Arguments {
 public:
  /// `names`: the parameters in order; the first `positional` can also be given by position. Raises TypeError for too
  /// many and for unknown arguments.
  Arguments(std::string function, const std::vector<std::string>& names, std::size_t positional, const nb::args& args,
            const nb::kwargs& kwargs);

  bool given(const std::string& name) const { return values_.contains(name); }
  nb::handle operator[](const std::string& name) const { return values_.at(name); }
  /// "Conv2d(): stride"
  std::string what(const std::string& name) const { return function_ + "(): " + name; }
  /// Sets `member` if the argument was given.
  template <class T>
  void take(const char* name, T& member) const {
    if (given(name)) member = Argument<T>::from(values_.at(name), what(name));
  }
  /// Raises TypeError, as Python does for missing arguments.
  void require_given(const std::string& name) const;

 private:
  std::string function_;
  std::map<std::string, nb::handle> values_;
};

/// One parameter of a signature.
struct FormalParameter {
  std::string name, type;
  std::string default_text;  ///< "": required
};

/// "def __init__(self, out_channels: int, kernel: int | tuple[int, int], *, bias: bool = True) -> None"
std::string signature(const std::string& function, const std::string& first,
                      const std::vector<FormalParameter>& parameters, std::size_t positional,
                      const std::string& result);

/// Parameters for the members that `each(options, f)` lists, with the values of `defaults`.
template <class Options, class Each>
std::vector<FormalParameter> parameters_of(Options& defaults, Each each) {
  std::vector<FormalParameter> parameters;
  each(defaults, [&](const char* name, auto& member) {
    using T = std::remove_cvref_t<decltype(member)>;
    parameters.push_back({name, Argument<T>::kType, repr_of(Argument<T>::to(member))});
  });
  return parameters;
}

inline std::vector<std::string> names_of(const std::vector<FormalParameter>& parameters) {
  std::vector<std::string> names;
  for (const FormalParameter& parameter : parameters) names.push_back(parameter.name);
  return names;
}

/// Binds a struct of options: constructor with keyword arguments, read-only attributes, representation.
template <class Options, class Each>
nb::class_<Options> add_options(nb::module_& module, const char* name, std::size_t positional, Each each,
                                const char* doc) {
  nb::class_<Options> bound(module, name, doc);
  Options defaults;
  const std::vector<FormalParameter> parameters = parameters_of(defaults, each);
  const std::vector<std::string> names = names_of(parameters);
  const std::string text = signature("__init__", "self", parameters, positional, "None");
  bound.def(
      "__init__",
      [=](Options* self, const nb::args& args, const nb::kwargs& kwargs) {
        const Arguments arguments(name, names, positional, args, kwargs);
        Options options;
        each(options, [&](const char* member, auto& value) { arguments.take(member, value); });
        new (self) Options(std::move(options));
      },
      nb::sig(text.c_str()));
  for (const FormalParameter& parameter : parameters) {
    const std::string attribute = parameter.name;
    const std::string getter = "def " + attribute + "(self) -> " + parameter.type;
    bound.def_prop_ro(
        attribute.c_str(),
        [=](Options& self) {
          nb::object found;
          each(self, [&](const char* member, auto& value) {
            if (member == attribute) found = Argument<std::remove_cvref_t<decltype(value)>>::to(value);
          });
          return found;
        },
        nb::for_getter(nb::sig(getter.c_str())));
  }
  bound.def("__repr__", [=](Options& self) {
    std::string representation;
    each(self, [&](const char* member, auto& value) {
      representation += (representation.empty() ? "" : ", ") + std::string(member) + "=" +
                        repr_of(Argument<std::remove_cvref_t<decltype(value)>>::to(value));
    });
    return std::string(name) + "(" + representation + ")";
  });
  return bound;
}

}  // namespace minception::python
