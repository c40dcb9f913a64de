#pragma once
/// The first values of parameters.

#include <minception/layers/parameters.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace minception {

enum class Initialization : std::uint8_t {
  /// Weights U(+-sqrt(6 / (fan_in + fan_out))) (Glorot & Bengio 2010), biases U(+-1 / sqrt(fan_in)): the published
  /// Fashion-MNIST experiment.
  xavier_uniform,
  /// Weights N(0, 2 / fan_in), biases 0 (He et al. 2015).
  kaiming_normal,
  /// Weights N(0, 2 / fan_out), biases 0 (the same, section 2.2, for what flows back).
  kaiming_normal_fan_out,
};

std::string_view name_of(Initialization initialization);
/// Throws Error that lists the names for an unknown one.
Initialization parse_initialization(std::string_view name);

/// The values of one parameter in the order of its shape: a function of the seed, the parameter's name and the element's
/// index alone. Batch norm's weight and running_var start at 1, its bias and running_mean at 0.
std::vector<double> initial_values(const Parameter& parameter, Initialization initialization, std::uint64_t seed);

}  // namespace minception
