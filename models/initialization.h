#pragma once
/// Parameter initialisation.

#include "layers/parameters.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace minception {

enum class Initialization : std::uint8_t {
  /// Weights U(+-sqrt(6 / (fan_in + fan_out))) (Glorot & Bengio 2010), biases U(+-1 / sqrt(fan_in)). The published
  /// Fashion-MNIST experiment uses this.
  xavier_uniform,
  /// Weights N(0, 2 / fan_in), biases 0 (He et al. 2015).
  kaiming_normal,
  /// Weights N(0, 2 / fan_out), biases 0 (He et al. 2015, section 2.2, backward propagation case).
  kaiming_normal_fan_out,
  /// Weights of convolutions as above, weights of fully connected layers and biases U(+-1 / sqrt(fan_in)):
  /// torchvision's ResNets.
  resnet,
};

std::string_view name_of(Initialization initialization);
/// Throws Error, listing the names, for an unknown name.
Initialization parse_initialization(std::string_view name);

/// Values of one parameter in file order; they depend only on the seed, the parameter's name and the element index.
/// Parameter::initial comes first. BatchNorm: weight and running_var start at 1, bias and running_mean at 0.
std::vector<double> initial_values(const Parameter& parameter, Initialization initialization, std::uint64_t seed);

}  // namespace minception
