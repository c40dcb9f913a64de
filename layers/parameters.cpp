#include "layers/parameters.h"
#include "core/error.h"

#include <algorithm>
#include <cmath>

namespace minception {

bool fits_memory(const Shape& shape) {
  constexpr std::int64_t kMost = std::int64_t{1} << 48;
  std::int64_t count = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (__builtin_mul_overflow(count, shape[axis], &count) || count >= kMost) return false;
  }
  return true;
}

void ParameterTable::check(const Parameter& parameter) const {
  const auto& [name, shape, role, fan_in, fan_out, initial, begin, scale, decays, updates] = parameter;
  require(!name.empty(), "a parameter of shape ", shape, " has no name");
  require(find(name) == nullptr, "two parameters are named ", name,
          ": a layer registers it twice, or two layers have the same full name");
  require(fits_memory(shape), "the parameter ", name, " of shape ", shape, " is larger than any memory");
  require(shape.rank() > 0 && shape.elements() > 0, "the parameter ", name, " of shape ", shape, " has no values");
  require(!initial || std::isfinite(*initial), "the parameter ", name, " has the initial value ", initial.value_or(0.0),
          ": it must be finite");
  const bool drawn = (role == ParameterRole::weight || role == ParameterRole::bias) && !initial;
  const char* fan = fan_in < 1 ? "fan_in" : "fan_out";
  require(!drawn || (fan_in >= 1 && fan_out >= 1), "the parameter ", name, " has ", fan, " ",
          fan_in < 1 ? fan_in : fan_out, ": give fan_in and fan_out, from which initial values follow, or `initial`");
}

ParameterId ParameterTable::add_block(std::vector<Parameter> members) {
  constexpr std::int64_t kAlignment = 64 / sizeof(float);
  const ParameterId first = parameters_.size();
  for (Parameter& parameter : members) {
    check(parameter);
    std::int64_t& end = parameter.trained() ? flat_parameters_ : flat_statistics_;
    parameter.begin = end;
    end += parameter.shape.elements();
    parameters_.push_back(std::move(parameter));
  }
  for (std::int64_t* end : {&flat_parameters_, &flat_statistics_}) {
    *end = (*end + kAlignment - 1) / kAlignment * kAlignment;
  }
  return first;
}

bool ParameterTable::freeze(std::string_view prefix) {
  bool found = false;
  for (Parameter& parameter : parameters_) {
    if (!parameter.name.starts_with(prefix)) continue;
    parameter.updates = false;
    found = true;
  }
  return found;
}

const Parameter* ParameterTable::find(std::string_view name) const {
  const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                  [name](const Parameter& parameter) { return parameter.name == name; });
  return found == parameters_.end() ? nullptr : &*found;
}

std::int64_t ParameterTable::trained_values() const {
  std::int64_t count = 0;
  for (const Parameter& parameter : parameters_) {
    if (parameter.trained()) count += parameter.shape.elements();
  }
  return count;
}

std::vector<ParameterGroup> ParameterTable::groups(double weight_decay) const {
  std::vector<ParameterGroup> groups;
  for (const Parameter& parameter : parameters_) {
    if (!parameter.trained()) continue;
    const std::int64_t end = parameter.begin + parameter.shape.elements();
    const ParameterGroup next = {.begin = parameter.begin,
                                 .count = end - parameter.begin,
                                 .learning_rate_scale = parameter.learning_rate_scale,
                                 .weight_decay = parameter.decays ? weight_decay : 0.0,
                                 .trains = parameter.updates};
    if (!groups.empty() && groups.back().learning_rate_scale == next.learning_rate_scale &&
        groups.back().weight_decay == next.weight_decay && groups.back().trains == next.trains) {
      groups.back().count = end - groups.back().begin;
    } else {
      groups.push_back(next);
    }
  }
  return groups;
}

}  // namespace minception
