#pragma once
/// The parameters of a network by name, and their places in one flat buffer.

#include <minception/core/shape.h>
#include <minception/kernels/operations.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minception {

enum class ParameterRole : std::uint8_t {
  weight,        ///< of a convolution (O, I, KH, KW) or fully connected layer (O, I)
  bias,          ///< of the same, (O)
  norm_weight,   ///< batch norm's gamma, (C); starts at 1
  norm_bias,     ///< batch norm's beta, (C); starts at 0
  running_mean,  ///< (C), not trained; starts at 0
  running_var,   ///< (C), not trained; starts at 1
};

struct Parameter {
  std::string name;  ///< as in files: "inception3a.branch2.0.conv.weight"
  Shape shape;       ///< as in files: PyTorch's
  ParameterRole role = ParameterRole::weight;
  std::int64_t fan_in = 0;   ///< inputs of one output value (weights and biases)
  std::int64_t fan_out = 0;  ///< outputs that one input value reaches, stride ignored

  /// First element in the flat buffer: of parameters, or of statistics where `trained()` is false.
  std::int64_t begin = 0;

  double learning_rate_scale = 1.0;
  bool decays = true;   ///< weight decay applies
  bool updates = true;  ///< false: frozen, training leaves it as it is

  bool trained() const { return role != ParameterRole::running_mean && role != ParameterRole::running_var; }
};

using ParameterId = std::size_t;

/// Whether the elements can be counted and addressed: fewer than 2^48.
bool fits_memory(const Shape& shape);

/// Physical order is separate from names: what one `add_block` call adds lies without gaps in the order given, so that
/// several weights can run as one GEMM; every block starts at a multiple of 64 bytes (of f32).
class ParameterTable {
 public:
  /// Adds parameters that must be contiguous; `begin` is set here. Returns the id of the first; ids are
  /// consecutive. Throws Error if a name is taken, or for a shape that no memory holds.
  ParameterId add_block(std::vector<Parameter> members);
  ParameterId add(Parameter parameter) { return add_block({std::move(parameter)}); }

  std::span<const Parameter> all() const { return parameters_; }
  const Parameter& operator[](ParameterId id) const { return parameters_[id]; }
  /// Parameters whose name begins with `prefix` are trained no more, and their running statistics stay. Returns false if
  /// there are none.
  bool freeze(std::string_view prefix);
  /// nullptr if there is none of that name.
  const Parameter* find(std::string_view name) const;

  /// Elements of the flat buffers, gaps included.
  std::int64_t flat_parameters() const { return flat_parameters_; }
  std::int64_t flat_statistics() const { return flat_statistics_; }
  /// Trained values, gaps and statistics not counted: what papers call the number of parameters.
  std::int64_t trained_values() const;

  /// What the optimizer needs to know of all trained parameters, as runs of equal settings: neighbours are
  /// merged, across the gaps between blocks too (these hold zeros, and stay zero).
  std::vector<ParameterSegment> segments(double weight_decay) const;

 private:
  std::vector<Parameter> parameters_;
  std::int64_t flat_parameters_ = 0;
  std::int64_t flat_statistics_ = 0;
};

}  // namespace minception
