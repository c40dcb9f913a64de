#pragma once
/// What models cost on a machine: arithmetic, traffic, memory and time, whole and by layer, beside the machine's ceilings.

#include <minception/kernels/backend.h>
#include <minception/models/network.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minception {

/// Of operations: two floating-point operations per multiply-accumulate of convolutions and fully connected layers, none
/// for others. Bytes: every operand once per reading and once per writing, as if a cache held all of one operation and
/// nothing from one to the next; `packed` copies of weights are not counted beside the weights.
struct Work {
  double flops = 0.0;
  double bytes = 0.0;
  double seconds = 0.0;  ///< where measured

  double intensity() const { return flops / bytes; }  ///< FLOP per byte
  Work& operator+=(const Work& other);
};

Work work_of(const Operation& operation);

/// A 5x5 convolution of as many channels as come in, large enough to be limited by arithmetic. (3x3 ones may be computed with
/// fewer multiplications than are counted, which is no ceiling of the machine.)
struct LargeConvolution {
  std::int64_t images = 16, channels = 384, size = 12, kernel = 5;
};
inline constexpr LargeConvolution kConvolution;

/// What a machine can do at most (Williams, Waterman & Patterson 2009, "Roofline"), each the best of several runs.
struct Ceilings {
  double copy = 0.0;         ///< bytes per second, read and written, of a copy that no cache holds
  double product = 0.0;      ///< FLOP per second of a large f32 matrix product
  double convolution = 0.0;  ///< of kConvolution; 0 where not measured

  /// FLOP per second of the faster of the two: neither need be the best that a processor can do.
  double arithmetic() const { return std::max(product, convolution); }
  /// The least seconds that the work takes: its arithmetic or its traffic, whichever is longer.
  double least_seconds(const Work& work) const;
  /// FLOP per byte from which on arithmetic is longer.
  double ridge() const { return arithmetic() / copy; }
};

struct CostOptions {
  std::int64_t batch = 16;
  double seconds = 1.0;        ///< how long each thing is repeated, at least three times; medians count
  std::int64_t extent = 2048;  ///< of the square matrices of the product; no convolution is measured below its size
  std::int64_t copied = std::int64_t{1} << 26;  ///< f32 values that are copied
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
  std::size_t activations = 0;                          ///< of a training step of one batch: sum of all, none shared
  std::size_t training_arena = 0, inference_arena = 0;  ///< what is allocated for one batch
  std::size_t one_image = 0;          ///< most that is alive at once in the inference of one image: activations
  std::size_t largest_operation = 0;  ///< operands of the largest operation in it, weights included
  std::vector<BatchIntensity> intensities;
  std::vector<LayerCosts> layers;
  Work inference, training;  ///< of all operations of one batch; the seconds are those of whole steps
  double inference_least_seconds = 0.0, training_least_seconds = 0.0;  ///< sums over operations: see Ceilings

  double weight_bytes() const { return static_cast<double>(parameters) * sizeof(float); }
  /// The smallest batch of those looked at whose intensity is at least `ridge`; 0: none.
  std::int64_t batch_for(double ridge, double BatchIntensity::*intensity) const;
};

/// Counts, without running anything.
ModelCosts count_costs(const ModelConfig& config, Backend& backend, const CostOptions& options);
/// Adds times. The model trains with a learning rate of 0.
void measure_costs(ModelCosts& costs, Backend& backend, const Ceilings& ceilings, const CostOptions& options);

}  // namespace minception
