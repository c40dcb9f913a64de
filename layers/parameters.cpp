#include "layers/parameters.h"
#include "core/error.h"

#include <algorithm>

namespace minception {

bool fits_memory(const Shape& shape) {
  constexpr std::int64_t kMost = std::int64_t{1} << 48;
  std::int64_t count = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (__builtin_mul_overflow(count, shape[axis], &count) || count >= kMost) return false;
  }
  return true;
}

ParameterId ParameterTable::add_block(std::vector<Parameter> members) {
  constexpr std::int64_t kAlignment = 64 / sizeof(float);
  const ParameterId first = parameters_.size();
  for (Parameter& parameter : members) {
    require(find(parameter.name) == nullptr, "two parameters are named ", parameter.name);
    std::int64_t& end = parameter.trained() ? flat_parameters_ : flat_statistics_;
    parameter.begin = end;
    require(fits_memory(parameter.shape), "the parameter ", parameter.name, " of shape ", parameter.shape,
            " is larger than any memory");
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
