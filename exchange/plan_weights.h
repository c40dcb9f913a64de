#pragma once
/// The parameters that tensors of an inference plan view, also those that BatchNorm was folded into.

#include "core/safetensors.h"
#include "exchange/graph_writer.h"
#include "layers/plan.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace minception::exchange {

class PlanWeights {
 public:
  /// `state`: parameters and statistics by name (Network::averaged_state).
  PlanWeights(const Plan& plan, const ParameterTable& parameters, const std::map<std::string, FileTensor>& state,
              GraphWriter& graph)
      : plan_(plan), parameters_(parameters), state_(state), graph_(graph) {}

  /// Records a step whose results later steps use as weights.
  void fold(const FoldBatchNorm& op) { folds_[place(op.folded_w)] = &op; }

  /// The parameter at a tensor, `row` entries of axis 0 after its start.
  const Parameter& parameter(const Tensor& tensor, std::int64_t row = 0) const;
  /// Its values as an initializer.
  std::string initializer(const Tensor& tensor, std::int64_t row = 0) const;
  std::string initializer(const Parameter& parameter) const;

  /// The step that computed weights `w` from row `row` on; nullptr if they are parameters.
  const FoldBatchNorm* fold_of(const Tensor& w, std::int64_t row) const;
  /// Initializers of the folded weights and bias, named like those of the convolution.
  struct Folded {
    std::string weight, bias;
  };
  Folded folded(const FoldBatchNorm& op) const;

 private:
  struct Place {
    Region region;
    std::size_t offset;
    auto operator<=>(const Place&) const = default;
  };
  Place place(const Tensor& tensor, std::int64_t row = 0) const;
  std::vector<double> values(const Tensor& tensor) const;

  const Plan& plan_;
  const ParameterTable& parameters_;
  const std::map<std::string, FileTensor>& state_;
  GraphWriter& graph_;
  std::map<Place, const FoldBatchNorm*> folds_;
};

}  // namespace minception::exchange
