#pragma once
/// Distances between the states of two trainings.

#include "models/network.h"
#include "models/weights.h"

#include <cmath>
#include <map>
#include <string>

namespace minception {

/// A state converted to f64.
inline std::map<std::string, FileTensor> in_double(std::map<std::string, FileTensor> state) {
  for (auto& [name, tensor] : state) tensor = to_file_tensor(to_doubles(tensor), tensor.shape, DType::f64);
  return state;
}

/// |a - b| / |b - before| over the whole state.
inline double drift(const Network& a, const Network& b, const std::map<std::string, FileTensor>& before) {
  double apart = 0.0, moved = 0.0;
  const auto state = a.state();
  for (const auto& [key, tensor] : b.state()) {
    const auto x = to_doubles(state.at(key)), y = to_doubles(tensor), z = to_doubles(before.at(key));
    for (std::size_t i = 0; i < y.size(); ++i) {
      apart += (x[i] - y[i]) * (x[i] - y[i]);
      moved += (y[i] - z[i]) * (y[i] - z[i]);
    }
  }
  return std::sqrt(apart / moved);
}

/// |a - b| / |b| over all tensors together.
inline double distance(const std::map<std::string, FileTensor>& a, const std::map<std::string, FileTensor>& b) {
  double difference = 0.0, norm = 0.0;
  for (const auto& [name, tensor] : b) {
    const std::vector<double> x = to_doubles(a.at(name)), y = to_doubles(tensor);
    for (std::size_t i = 0; i < y.size(); ++i) {
      difference += (x[i] - y[i]) * (x[i] - y[i]);
      norm += y[i] * y[i];
    }
  }
  return std::sqrt(difference / norm);
}

}  // namespace minception
