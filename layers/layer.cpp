#include "layers/layer.h"

namespace minception {

std::string batch_shape(const Shape& shape) {
  std::string text = "[N";
  for (int axis = 1; axis < shape.rank(); ++axis) text += ", " + std::to_string(shape[axis]);
  return text + "]";
}

std::int64_t Layer::input_size(const char* option, std::int64_t given, const Shape& input) const {
  const std::int64_t found = input.extent_or_1(1);
  require(given == 0 || given == found, name_, ": ", option, " is ", given, ", but the input ", batch_shape(input),
          " has ", found, input.rank() == 2 ? " features" : " channels");
  return found;
}

Tensor Layer::dense_output(Plan& plan, const Tensor& x, const Tensor& destination) const {
  require(!destination.defined() || destination.dense(), name_,
          ": its output must be dense, so it cannot be the end of a branch of Concat; put it after the Concat");
  return output(plan, x, destination);
}

}  // namespace minception
