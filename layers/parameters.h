#pragma once
/// Named parameters of a network and their offsets in flat buffers.

#include "core/error.h"
#include "core/shape.h"
#include "kernels/operations.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minception {

enum class ParameterRole : std::uint8_t {
  weight,        ///< convolution (O, I, KH, KW) or fully connected layer (O, I)
  bias,          ///< of a convolution or fully connected layer, (O)
  norm_weight,   ///< batch norm's gamma, (C); starts at 1
  norm_bias,     ///< batch norm's beta, (C); starts at 0
  running_mean,  ///< (C), not trained; starts at 0
  running_var,   ///< (C), not trained; starts at 1
};

struct Parameter {
  std::string name;  ///< as in weights files: "inception3a.branch2.0.conv.weight"
  Shape shape;       ///< as in weights files, which use PyTorch's shapes
  ParameterRole role = ParameterRole::weight;
  std::int64_t fan_in = 0;   ///< inputs per output value (weights and biases)
  std::int64_t fan_out = 0;  ///< outputs per input value, stride ignored
  /// Every element starts at this value; nullopt: as the role says and the initialization chooses.
  std::optional<double> initial = std::nullopt;

  /// First element in the flat buffer of parameters, or of statistics if `trained()` is false.
  std::int64_t begin = 0;

  double learning_rate_scale = 1.0;
  bool decays = true;   ///< weight decay applies
  bool updates = true;  ///< false: frozen, not changed by training

  bool trained() const { return role != ParameterRole::running_mean && role != ParameterRole::running_var; }
};

using ParameterId = std::size_t;

/// True if the shape has fewer than 2^48 elements.
bool fits_memory(const Shape& shape);

/// Memory order is independent of names: the parameters of one `add_block` call are contiguous in the given order, so
/// that several weights can run as one GEMM. Every block starts at a multiple of 64 bytes (in f32).
class ParameterTable {
 public:
  /// Adds parameters that must be contiguous and sets their `begin`. Returns the id of the first; ids are consecutive.
  /// Throws Error if a name is empty or taken, if a shape is empty or does not satisfy fits_memory, and for a weight or
  /// bias with neither an initial value nor the fans from which the initialization takes its range.
  ParameterId add_block(std::vector<Parameter> members);
  ParameterId add(Parameter parameter) { return add_block({std::move(parameter)}); }

  std::span<const Parameter> all() const { return parameters_; }
  /// Throws Error for an id that `add` did not return.
  const Parameter& operator[](ParameterId id) const {
    require(id < parameters_.size(), "parameter ", id, " of ", parameters_.size(), ": a layer must register its ",
            "parameters (register_parameters) before it uses them");
    return parameters_[id];
  }
  /// Freezes all parameters whose name begins with `prefix`; a frozen BatchNorm keeps its running statistics. Returns
  /// false if there are none.
  bool freeze(std::string_view prefix);
  /// nullptr if there is no parameter of this name.
  const Parameter* find(std::string_view name) const;

  /// Elements of the flat buffers, gaps included.
  std::int64_t flat_parameters() const { return flat_parameters_; }
  std::int64_t flat_statistics() const { return flat_statistics_; }
  /// Trained values without gaps and statistics: the number of parameters that papers report.
  std::int64_t trained_values() const;

  /// Parameter groups for the optimizer. Neighbouring parameters with equal settings are merged, also across the gaps
  /// between blocks, which hold zeros and stay zero.
  std::vector<ParameterGroup> groups(double weight_decay) const;

 private:
  void check(const Parameter& parameter) const;

  std::vector<Parameter> parameters_;
  std::int64_t flat_parameters_ = 0;
  std::int64_t flat_statistics_ = 0;
};

}  // namespace minception
