#pragma once
/// What a layer is: it knows its output shape, its parameters, and which operations its two passes are made of.

#include <minception/core/shape.h>
#include <minception/layers/parameters.h>
#include <minception/layers/plan.h>

#include <memory>
#include <string>

namespace minception {

/// A layer writes its passes into a Plan instead of running them: the same lines serve every backend, and memory is
/// placed before anything runs. `backward` is written by hand beside `forward`; it follows the last `forward` planned
/// and uses the tensors that this one remembered.
class Layer {
 public:
  virtual ~Layer() = default;
  Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  /// Gives the layer its full name and adds its parameters to the table. Called once, before everything else.
  virtual void declare(ParameterTable& table, const std::string& name) {
    name_ = name;
    (void)table;
  }

  /// Throws Error, naming the layer, if the layer has no output for this input.
  virtual Shape output_shape(const Shape& input) const = 0;

  /// True if the output went through a ReLU inside this layer. Whoever computes dL/dy then masks it with (y > 0) (see
  /// GradTarget), and `backward` gets it masked.
  virtual bool ends_in_relu() const { return false; }

  /// Plans y = f(x). A layer is told where to write: into `destination` if it is defined, else into a new tensor.
  virtual Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) = 0;

  /// Plans the gradients: parameter gradients go to their places, the input gradient to `target`; an undefined
  /// `target.dx` says that nobody needs it.
  virtual void backward(Plan& plan, const Tensor& dy, const GradTarget& target) = 0;

  const std::string& name() const { return name_; }

 protected:
  /// `destination` where defined, else a new activation of the layer's output shape.
  Tensor output(Plan& plan, const Tensor& x, const Tensor& destination) const {
    return destination.defined() ? destination : plan.activation(name_ + ": output", output_shape(x.shape));
  }

 private:
  std::string name_;
};

}  // namespace minception
