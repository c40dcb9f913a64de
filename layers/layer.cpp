#include "layers/layer.h"

#include <algorithm>

namespace minception {
namespace {

/// Whether a step from index `begin` on writes to the storage of the tensor.
bool writes(const Plan& plan, std::size_t begin, const Tensor& tensor) {
  const auto steps = plan.steps().subspan(begin);
  return std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
    bool found = false;
    for_each_operand(step.operation, [&](std::string_view, const Tensor& operand, Access access) {
      found = found || (access != Access::read && operand.storage == tensor.storage);
    });
    return found;
  });
}

}  // namespace

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

Shape checked_output_shape(const Layer& layer, const Shape& input) {
  const Shape shape = layer.output_shape(input);
  require(shape.rank() >= 2 && shape[0] == input[0], layer.name(), ": output_shape yields ", shape, " for an input ",
          input, ": extent 0 must be the batch, ", input[0], ", and the channels or features follow");
  require(fits_memory(shape), layer.name(), ": its output ", shape, " is larger than any memory");
  require(shape.elements() > 0, layer.name(), ": its output ", shape, " is empty");
  return shape;
}

Tensor checked_forward(Layer& layer, Plan& plan, const Tensor& x, const Tensor& destination) {
  const std::size_t begin = plan.steps().size();
  const Tensor y = layer.forward(plan, x, destination);
  require(y.defined(), layer.name(), ": forward returned no tensor");
  const Shape expected = checked_output_shape(layer, x.shape);
  require(y.shape == expected, layer.name(), ": forward returned a tensor ", y.shape, ", but output_shape yields ",
          expected);
  require(!destination.defined() || (y.storage == destination.storage && y.offset == destination.offset &&
                                     y.pixel_stride == destination.pixel_stride && y.data == destination.data),
          layer.name(), ": forward did not return its destination; write to output(plan, x, destination)");
  require(y.storage < 0 || y.storage == x.storage || writes(plan, begin, y), layer.name(),
          ": none of the operations of forward writes the tensor that it returns; is it in `outputs`?");
  return y;
}

void checked_backward(Layer& layer, Plan& plan, const Tensor& dy, const GradTarget& target) {
  const std::size_t begin = plan.steps().size();
  layer.backward(plan, dy, target);
  require(!target.dx.defined() || target.dx.storage < 0 || writes(plan, begin, target.dx), layer.name(),
          ": none of the operations of backward writes the input gradient, target.dx");
}

Tensor Layer::dense_output(Plan& plan, const Tensor& x, const Tensor& destination) const {
  require(!destination.defined() || destination.dense(), name_,
          ": its output must be dense, so it cannot be the end of a branch of Concat; put it after the Concat");
  return output(plan, x, destination);
}

}  // namespace minception
