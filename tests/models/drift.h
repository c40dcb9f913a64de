#pragma once
/// Distances between the states of two trainings.

#include "models/network.h"
#include "models/weights.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace minception {

/// Bounds for two trainings that differ in rounding only: kSpreadFactor times the largest value of an ensemble, rounded
/// up. test_rounding_spread.cpp computes the ensembles.
struct RoundingSpread {
  double loss;            ///< of every step, relative
  double weights;         ///< `drift`, which grows by orders of magnitude if a decision of a ReLU or maximum flips
  double median_weights;  ///< the median over several steps or trainings
};
inline constexpr double kSpreadFactor = 4.0;
inline constexpr RoundingSpread kTenSteps = {2e-6, 0.015, 2e-3};
inline constexpr RoundingSpread kTenStepsInDouble = {1e-5, 0.02, 1.5e-3};  ///< test_network.cpp
inline constexpr RoundingSpread kBatchNormStepOf8 = {4e-5, 0.3, 5e-5};
inline constexpr RoundingSpread kBatchNormStepOf16 = {2e-5, 0.15, 2e-5};

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

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}
inline double largest(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

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
