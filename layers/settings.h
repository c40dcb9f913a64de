#pragma once
/// Settings of a layer as names and values, so that files can describe networks.

#include "core/error.h"
#include "core/shape.h"

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace minception {

class Layer;

/// Ordered names and values. A layer's options list theirs in a function that serves both directions:
///
///   struct Options {
///     double slope = 0.01;
///     template <class Self, class F>
///     static void each_setting(Self& self, F&& f) { f("slope", self.slope); }
///   };
///
/// Members may be bool, std::int64_t, double, std::string, Extent2d, or an enum with name_of(value) and
/// parse_name(text, value). A size that follows from the input if it is 0 is listed as
/// f("in_channels", self.in_channels, from_input): files hold it only if it was given, so that the same description
/// serves inputs of other sizes.
struct Settings {
  using Value = std::variant<bool, std::int64_t, double, std::string, Extent2d>;
  std::vector<std::pair<std::string, Value>> values;

  /// nullptr if there is no such setting.
  const Value* find(const std::string& name) const {
    for (const auto& [known, value] : values) {
      if (known == name) return &value;
    }
    return nullptr;
  }
};

/// First member of options that are given by name: {.kernel = 3}. Without it, {3, 5} could be options where it is meant
/// to be an extent.
struct ByName {
  explicit ByName() = default;
};

/// Marks a size that follows from the input (Layer::input_size) if it is 0.
struct FromInput {};
inline constexpr FromInput from_input;

template <class Options>
Settings settings_of(const Options& options) {
  Settings settings;
  Options::each_setting(options, [&]<class T, class... Mark>(const char* name, const T& value, Mark...) {
    if constexpr (std::is_enum_v<T>) {
      settings.values.emplace_back(name, std::string(name_of(value)));
    } else if constexpr (sizeof...(Mark) > 0) {
      if (value != 0) settings.values.emplace_back(name, value);
    } else {
      settings.values.emplace_back(name, value);
    }
  });
  return settings;
}

/// Options from settings; those that are missing keep their defaults. Throws Error for an unknown name and for a value
/// of another type (integers are accepted for double).
template <class Options>
Options options_from(const Settings& settings) {
  Options options;
  std::size_t used = 0;
  Options::each_setting(options, [&](const char* name, auto& member, auto...) {
    const Settings::Value* value = settings.find(name);
    if (value == nullptr) return;
    ++used;
    using Member = std::remove_reference_t<decltype(member)>;
    if constexpr (std::is_enum_v<Member>) {
      const auto* text = std::get_if<std::string>(value);
      require(text != nullptr, "the setting '", name, "' must be a string");
      parse_name(*text, member);
    } else if (const auto* same = std::get_if<Member>(value)) {
      member = *same;
    } else {
      const auto* integer = std::get_if<std::int64_t>(value);
      require(integer != nullptr && std::is_same_v<Member, double>, "the setting '", name,
              "' has a value of another type");
      if constexpr (std::is_same_v<Member, double>) member = static_cast<double>(*integer);
    }
  });
  if (used == settings.values.size()) return options;
  for (const auto& [name, value] : settings.values) {
    bool known = false;
    Options::each_setting(options, [&](const char* own, const auto&, auto...) { known = known || name == own; });
    require(known, "there is no setting '", name, "'");
  }
  return options;
}

/// How files name a type of layers, and how they store its settings.
struct LayerType {
  std::string name;
  bool (*is)(const Layer&);
  Settings (*settings)(const Layer&);
  std::unique_ptr<Layer> (*make)(const Settings&);
};

}  // namespace minception
