#include "models/initialization.h"
#include "core/error.h"
#include "core/random.h"

#include <cmath>

namespace minception {

std::string_view name_of(Initialization initialization) {
  switch (initialization) {
    case Initialization::xavier_uniform:
      return "xavier-uniform";
    case Initialization::kaiming_normal:
      return "kaiming-normal";
    case Initialization::kaiming_normal_fan_out:
      return "kaiming-normal-fan-out";
    case Initialization::resnet:
      return "resnet";
  }
  return "";
}

Initialization parse_initialization(std::string_view name) {
  for (Initialization known : {Initialization::xavier_uniform, Initialization::kaiming_normal,
                               Initialization::kaiming_normal_fan_out, Initialization::resnet}) {
    if (name == name_of(known)) return known;
  }
  fail("unknown initialisation '", name, "': use xavier-uniform, kaiming-normal, kaiming-normal-fan-out or resnet");
}

std::vector<double> initial_values(const Parameter& parameter, Initialization initialization, std::uint64_t seed) {
  const auto count = static_cast<std::size_t>(parameter.shape.elements());
  const Random random{seed, name_hash(parameter.name)};
  if (parameter.initial) return std::vector<double>(count, *parameter.initial);
  std::vector<double> values(count, 0.0);
  const auto fill_uniform = [&](double bound) {
    for (std::size_t i = 0; i < count; ++i) values[i] = bound * (2.0 * random.uniform(i) - 1.0);
  };
  const auto fan_in = static_cast<double>(parameter.fan_in);
  const auto fan_out = static_cast<double>(parameter.fan_out);
  switch (parameter.role) {
    case ParameterRole::weight:
      if (initialization == Initialization::xavier_uniform) {
        fill_uniform(std::sqrt(6.0 / (fan_in + fan_out)));
      } else if (initialization == Initialization::resnet && parameter.shape.rank() == 2) {
        fill_uniform(1.0 / std::sqrt(fan_in));
      } else {
        const double fan = initialization == Initialization::kaiming_normal ? fan_in : fan_out;
        for (std::size_t i = 0; i < count; ++i) values[i] = std::sqrt(2.0 / fan) * random.normal(i);
      }
      break;
    case ParameterRole::bias:
      if (initialization == Initialization::xavier_uniform || initialization == Initialization::resnet) {
        fill_uniform(1.0 / std::sqrt(fan_in));
      }
      break;
    case ParameterRole::norm_weight:
    case ParameterRole::running_var:
      values.assign(count, 1.0);
      break;
    case ParameterRole::norm_bias:
    case ParameterRole::running_mean:
      break;
  }
  return values;
}

}  // namespace minception
