#pragma once
/// Costs of models on a machine: arithmetic, traffic, memory and time, in total and by layer, and the machine's
/// ceilings.

#include "kernels/backend.h"
#include "models/network.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minception {

/// Work of operations. FLOPs: two per multiply-accumulate of convolutions and fully connected layers, none for other
/// operations. Bytes: every operand once per read and once per write, as if a cache held all of one operation and kept
/// nothing between operations; prepacked copies of weights are not counted.
struct Work {
  double flops = 0.0;
  double bytes = 0.0;
  double seconds = 0.0;  ///< if measured

  double intensity() const { return flops / bytes; }  ///< FLOP per byte
  Work& operator+=(const Work& other);
};

Work work_of(const Operation& operation);

/// A 5x5 convolution with equal input and output channels, large enough to be compute-bound. (3x3 convolutions may use
/// algorithms with fewer multiplications than counted, which would not give a ceiling of the machine.)
struct LargeConvolution {
  std::int64_t images = 16, channels = 384, size = 12, kernel = 5;
};
inline constexpr LargeConvolution kConvolution;

/// Peak rates of a machine (Williams, Waterman & Patterson 2009, "Roofline"), each the best of several runs.
struct Ceilings {
  double copy = 0.0;         ///< bytes read and written per second by a copy larger than the caches
  double product = 0.0;      ///< FLOP per second of a large f32 matrix product
  double convolution = 0.0;  ///< FLOP per second of kConvolution; 0 if not measured

  /// FLOP per second of the faster of the two; a lower bound of the processor's peak.
  double arithmetic() const { return std::max(product, convolution); }
  /// Lower bound of the time: the longer of arithmetic and traffic.
  double least_seconds(const Work& work) const;
  /// FLOP per byte above which arithmetic takes longer than traffic.
  double ridge() const { return arithmetic() / copy; }
};

struct CostOptions {
  std::int64_t batch = 16;
  double seconds = 1.0;        ///< time to repeat each measurement, at least three times; medians are reported
  std::int64_t extent = 2048;  ///< of the square matrices; no convolution below kConvolution.size
  std::int64_t copied = std::int64_t{1} << 26;  ///< f32 values of the copy
};

Ceilings measure_ceilings(Backend& backend, const CostOptions& options);

/// A top-level layer, or "input", "loss" and "optimizer".
struct LayerCosts {
  std::string name;
  Work inference, training;                                            ///< of one batch
  double inference_least_seconds = 0.0, training_least_seconds = 0.0;  ///< sums over operations: see Ceilings
};

struct BatchIntensity {
  std::int64_t batch = 1;
  double inference = 0.0, training = 0.0;  ///< FLOP per byte of all operations
};

struct ModelCosts {
  ModelConfig config;
  std::int64_t parameters = 0;
  std::int64_t inference_macs = 0, training_macs = 0;   ///< of one image
  std::size_t activations = 0;                          ///< of one training batch: sum of all, without reuse
  std::size_t training_arena = 0, inference_arena = 0;  ///< bytes allocated for one batch
  std::size_t one_image = 0;          ///< peak live bytes of activations in the inference of one image
  std::size_t largest_operation = 0;  ///< bytes of the operands of the largest operation in it, weights included
  std::vector<BatchIntensity> intensities;
  std::vector<LayerCosts> layers;
  Work inference, training;  ///< of all operations of one batch; seconds: of whole steps
  double inference_least_seconds = 0.0, training_least_seconds = 0.0;  ///< sums over operations: see Ceilings

  double weight_bytes() const { return static_cast<double>(parameters) * sizeof(float); }
  /// The smallest measured batch whose intensity is at least `ridge`; 0: none.
  std::int64_t batch_for(double ridge, double BatchIntensity::*intensity) const;
};

/// Counts without running any operation.
ModelCosts count_costs(const ModelConfig& config, Backend& backend, const CostOptions& options);
/// Adds times. The model trains with a learning rate of 0.
void measure_costs(ModelCosts& costs, Backend& backend, const Ceilings& ceilings, const CostOptions& options);

}  // namespace minception
