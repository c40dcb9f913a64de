#include "exchange/plan_weights.h"
#include "models/weights.h"

#include <cmath>

namespace minception::exchange {

PlanWeights::Place PlanWeights::place(const Tensor& tensor, std::int64_t row) const {
  const Storage& storage = plan_.storages()[static_cast<std::size_t>(tensor.storage)];
  const auto elements = static_cast<std::size_t>(row * (tensor.elements() / tensor.shape[0]));
  return {storage.region, storage.offset + tensor.offset + elements * size_of(tensor.dtype)};
}

const Parameter& PlanWeights::parameter(const Tensor& tensor, std::int64_t row) const {
  const Place at = place(tensor, row);
  const auto begin = static_cast<std::int64_t>(at.offset / size_of(tensor.dtype));
  for (const Parameter& each : parameters_.all()) {
    if (each.begin == begin && (at.region == Region::parameters) == each.trained()) return each;
  }
  fail("a tensor of shape ", tensor.shape, " is no parameter");
}

std::string PlanWeights::initializer(const Parameter& parameter) const {
  return graph_.initializer(parameter.name, state_.at(parameter.name));
}

std::string PlanWeights::initializer(const Tensor& tensor, std::int64_t row) const {
  return initializer(parameter(tensor, row));
}

const FoldBatchNorm* PlanWeights::fold_of(const Tensor& w, std::int64_t row) const {
  const auto found = folds_.find(place(w, row));
  return found == folds_.end() ? nullptr : found->second;
}

std::vector<double> PlanWeights::values(const Tensor& tensor) const {
  return to_doubles(state_.at(parameter(tensor).name));
}

PlanWeights::Folded PlanWeights::folded(const FoldBatchNorm& op) const {
  const Parameter& weight = parameter(op.w);
  const std::vector<double> gamma = values(op.gamma), beta = values(op.beta), mean = values(op.running_mean),
                            var = values(op.running_var);
  std::vector<double> w = values(op.w), bias(gamma.size());
  const std::size_t per_row = w.size() / gamma.size();
  for (std::size_t o = 0; o < gamma.size(); ++o) {
    const double scale = gamma[o] / std::sqrt(var[o] + op.epsilon);
    for (std::size_t i = 0; i < per_row; ++i) w[o * per_row + i] *= scale;
    bias[o] = beta[o] - mean[o] * scale;
  }
  const std::string name = weight.name.substr(0, weight.name.rfind('.')) + ".bias";
  return {graph_.initializer(weight.name, to_file_tensor(w, weight.shape, DType::f32)),
          graph_.initializer(name, to_file_tensor(bias, {weight.shape[0]}, DType::f32))};
}

}  // namespace minception::exchange
