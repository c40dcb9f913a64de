#pragma once
#include "kernels/elements.h"
#include "layers/layer.h"

#include <memory>
#include <string>
#include <utility>

namespace minception {

/// An elementwise activation of your own, on `reference` and `cpu`. `Function` has a name, f and its derivative:
///
///   struct LeakyReLU {
///     static constexpr const char* kName = "leaky_relu";
///     float negative_slope = 0.01f;
///     template <class T> T value(T x) const { return x > 0 ? x : T(negative_slope) * x; }
///     template <class T> T slope(T x) const { return x > 0 ? T(1) : T(negative_slope); }
///   };
///   body.add<Activation<LeakyReLU>>("act");
///
///   forward    y = f(x)
///   backward   dx = dy * f'(x)
/// Backward needs x. T is float, or double when computing in f64.
template <class Function>
class Activation final : public Layer {
 public:
  using Options = Function;  ///< its members are settings if it lists them (layers/settings.h)

  explicit Activation(const Function& function = {})
      : function_(function),
        forward_(std::make_shared<Forward>(function)),
        backward_(std::make_shared<Backward>(function)) {}

  const Options& options() const { return function_; }
  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override {
    x_ = x;
    const Tensor y = output(plan, x, destination);
    plan.add(name(), Custom{.operation = forward_, .inputs = {{"x", x}}, .outputs = {{"y", y}}});
    return y;
  }
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override {
    if (!target.dx.defined()) return;
    plan.add(name(), Custom{.operation = backward_, .inputs = {{"x", x_}, {"dy", dy}}, .target = target});
  }

 private:
  class Forward final : public CustomOperation {
   public:
    explicit Forward(const Function& function) : function_(function) {}
    const char* name() const override { return name_.c_str(); }
    void validate(const Custom& op) const override { op.require_alike("x", "y"); }
    void run(const Custom& op, const RunContext& context) const override {
      for_floating(op["x"], [&]<class T>() {
        const Elements<const T> x(op["x"]);
        const Elements<T> y(op["y"]);
        context.parallel(x.size(), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) y[i] = static_cast<T>(function_.value(Compute<T>(x[i])));
        });
      });
    }

   private:
    Function function_;
    std::string name_ = std::string(Function::kName) + "_forward";
  };

  class Backward final : public CustomOperation {
   public:
    explicit Backward(const Function& function) : function_(function) {}
    const char* name() const override { return name_.c_str(); }
    void validate(const Custom& op) const override {
      op.require_alike("x", "dy");
      op.require_alike("dy", "dx");
    }
    void run(const Custom& op, const RunContext& context) const override {
      for_floating(op["x"], [&]<class T>() {
        const Elements<const T> x(op["x"]), dy(op["dy"]);
        const GradElements<T> dx(op.target);
        context.parallel(x.size(), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) {
            dx.put(i, Compute<T>(dy[i]) * function_.slope(Compute<T>(x[i])));
          }
        });
      });
    }

   private:
    Function function_;
    std::string name_ = std::string(Function::kName) + "_backward";
  };

  Function function_;
  std::shared_ptr<const CustomOperation> forward_, backward_;
  Tensor x_;
};

}  // namespace minception
