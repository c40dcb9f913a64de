#pragma once
/// Layer interface: output shape, parameters, and the operations of the forward and backward pass.

#include "core/shape.h"
#include "layers/parameters.h"
#include "layers/plan.h"

#include <memory>
#include <string>

namespace minception {

/// "[N, 8, 30, 30]": the shape for a batch of any size, as messages show it.
std::string batch_shape(const Shape& shape);

/// A layer adds the steps of its passes to a Plan instead of running them, so that one implementation serves every
/// backend and memory is placed before execution. `backward` is handwritten; it belongs to the last planned `forward`
/// and uses the tensors that `forward` stored in the layer.
class Layer {
 public:
  virtual ~Layer() = default;
  Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;
  /// Layers can be moved until they are part of a network.
  Layer(Layer&&) = default;
  Layer& operator=(Layer&&) = default;

  /// Gives the layer its full name, and sets sizes that follow from the shape of its input, such as in_channels
  /// (`input_size`). Called before `register_parameters`, with one image. Throws Error if the layer cannot process it.
  virtual void infer(const std::string& name, const Shape& input) {
    name_ = name;
    (void)input;
  }

  /// Gives the layer its full name and adds its parameters to the table. Called once, before the functions below.
  virtual void register_parameters(ParameterTable& table, const std::string& name) {
    name_ = name;
    (void)table;
  }

  /// Throws Error, naming the layer, if the layer cannot process an input of this shape.
  virtual Shape output_shape(const Shape& input) const = 0;

  /// True if the output has passed a ReLU in this layer. The producer of dL/dy then masks it with (y > 0) (see
  /// GradTarget), and `backward` receives it masked.
  virtual bool ends_in_relu() const { return false; }

  /// Makes a ReLU that follows this layer part of it, which saves a pass over the output. False: this layer cannot.
  virtual bool fuse_relu() { return false; }

  /// Plans y = f(x) and returns y: `destination` if it is defined, else a new tensor.
  virtual Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) = 0;

  /// Plans the gradients: parameter gradients go to Region::gradients, the input gradient to `target`. An undefined
  /// `target.dx` means that the input gradient is not needed.
  virtual void backward(Plan& plan, const Tensor& dy, const GradTarget& target) = 0;

  const std::string& name() const { return name_; }

 protected:
  /// The channels of images or the features of (N, features): extent 1 of the input. Throws Error, naming the layer and
  /// the option, if `given` is neither 0 nor that extent:
  ///
  ///   in_channels_ = input_size("in_channels", options_.in_channels, input);   // in infer
  std::int64_t input_size(const char* option, std::int64_t given, const Shape& input) const;

  /// `destination` if defined, else a new activation of the layer's output shape.
  Tensor output(Plan& plan, const Tensor& x, const Tensor& destination) const {
    return destination.defined() ? destination : plan.activation(name_ + ": output", output_shape(x.shape));
  }
  /// The same for an output that cannot be a channel slice: throws Error, naming the layer, for a branch of Concat.
  Tensor dense_output(Plan& plan, const Tensor& x, const Tensor& destination) const;

 private:
  std::string name_;
};

// ---- for containers: the functions of a layer, with its mistakes as errors that name it -------------------------------

/// output_shape. Throws Error unless the shape keeps the batch and has values.
Shape checked_output_shape(const Layer& layer, const Shape& input);
/// forward. Throws Error unless the layer returns a tensor of its output shape that its operations write, and
/// `destination` if that is defined. A layer may also return x.
Tensor checked_forward(Layer& layer, Plan& plan, const Tensor& x, const Tensor& destination = {});
/// backward. Throws Error if no operation writes a requested input gradient.
void checked_backward(Layer& layer, Plan& plan, const Tensor& dy, const GradTarget& target);

}  // namespace minception
