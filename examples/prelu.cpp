/// A layer with a parameter of its own, from its gradients to a file that describes it:
///
///   prelu       checks the gradients of the layer and of a network with it, and rebuilds the network from its description

#include <minception/minception.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

namespace mn = minception;

namespace {

/// y = x if x > 0, else w[c] * x.
struct PReLUForward : mn::CustomOperation {
  const char* name() const override { return "prelu_forward"; }
  void validate(const mn::Custom& op) const override { op.require_alike("x", "y"); }
  void run(const mn::Custom& op, const mn::RunContext& context) const override {
    mn::for_floating(op["x"], [&]<class T>() {
      const mn::Elements<const T> x(op["x"]);
      const mn::Elements<const mn::Compute<T>> w(op["w"]);  // parameters are f32 if x is bf16
      const mn::Elements<T> y(op["y"]);
      context.parallel(x.size(), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] > 0 ? x[i] : T(w[i % w.size()] * x[i]);
      });
    });
  }
};

/// dx = dy * (x > 0 ? 1 : w[c]),   dw[c] (+)= sum of dy * x over the x <= 0 of channel c.
struct PReLUBackward : mn::CustomOperation {
  const char* name() const override { return "prelu_backward"; }
  void validate(const mn::Custom& op) const override {
    op.require_alike("x", "dy");
    op.require_alike("dy", "dx");
  }
  void run(const mn::Custom& op, const mn::RunContext& context) const override {
    mn::for_floating(op["x"], [&]<class T>() {
      const mn::Elements<const T> x(op["x"]), dy(op["dy"]);
      const mn::Elements<const mn::Compute<T>> w(op["w"]);
      const mn::Elements<mn::Compute<T>> dw(op["dw"]);
      const mn::GradElements<T> dx(op.target);
      const std::int64_t channels = w.size();
      // One thread per channel, so that the order of the sum does not depend on the number of threads.
      context.parallel(channels, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c) {
          double sum = op.accumulate ? double(dw[c]) : 0.0;
          for (std::int64_t i = c; i < x.size(); i += channels) {
            const mn::Compute<T> gradient = dy[i];
            if (!(x[i] > 0)) sum += double(gradient) * double(x[i]);
            dx.put(i, x[i] > 0 ? gradient : gradient * w[c]);
          }
          dw[c] = mn::Compute<T>(sum);
        }
      });
    });
  }
};

/// Parametric ReLU (He et al. 2015, section 2.1): one slope per channel, which starts at `initial`.
class PReLU final : public mn::Layer {
 public:
  struct Options {
    double initial = 0.25;

    template <class Self, class F>
    static void each_setting(Self& self, F&& f) {
      f("initial", self.initial);
    }
  };
  PReLU() : PReLU(Options{}) {}
  explicit PReLU(const Options& options) : options_(options) {}
  const Options& options() const { return options_; }

  void infer(const std::string& name, const mn::Shape& input) override {
    Layer::infer(name, input);
    channels_ = input_size("channels", 0, input);
  }
  void register_parameters(mn::ParameterTable& table, const std::string& name) override {
    Layer::register_parameters(table, name);
    weight_ = table.add({.name = name + ".weight", .shape = mn::Shape{channels_}, .initial = options_.initial});
  }
  mn::Shape output_shape(const mn::Shape& input) const override { return input; }
  mn::Tensor forward(mn::Plan& plan, const mn::Tensor& x, const mn::Tensor& destination = {}) override {
    x_ = x;
    const mn::Tensor y = output(plan, x, destination);
    plan.add(
        name(),
        mn::Custom{.operation = forward_, .inputs = {{"x", x}, {"w", plan.parameter(weight_)}}, .outputs = {{"y", y}}});
    return y;
  }
  void backward(mn::Plan& plan, const mn::Tensor& dy, const mn::GradTarget& target) override {
    // One operation computes both gradients. Without a layer below, dx goes to a tensor that nothing reads.
    mn::GradTarget dx = target;
    if (!dx.dx.defined()) dx.dx = plan.activation(name() + ": unused input gradient", x_.shape);
    plan.add(name(), mn::Custom{.operation = backward_,
                                .inputs = {{"x", x_}, {"w", plan.parameter(weight_)}, {"dy", dy}},
                                .gradients = {{"dw", plan.gradient(weight_)}},
                                .target = dx});
  }

 private:
  Options options_;
  std::int64_t channels_ = 0;
  mn::ParameterId weight_ = 0;
  std::shared_ptr<const mn::CustomOperation> forward_ = std::make_shared<PReLUForward>(),
                                             backward_ = std::make_shared<PReLUBackward>();
  mn::Tensor x_;
};

const bool registered = mn::register_layer<PReLU>("PReLU");  // the name of the type in files

}  // namespace

int main() try {
  PReLU layer;
  const mn::GradientCheck alone = mn::check_gradients(layer, {4, 6, 5, 5});
  std::printf("layer: %s\n", alone.text().c_str());

  const mn::Model model("prelu_net", {mn::Conv2d(8, 3), PReLU({.initial = 0.1}), mn::Flatten(), mn::Linear(4)},
                        {1, 8, 8}, 4);
  const mn::GradientCheck whole = mn::check_gradients(model);
  std::printf("model: %s\n", whole.text().c_str());

  const std::string description = mn::to_graph(model);  // as weights files hold it
  const mn::Model again =
      mn::model_from_graph({.name = "prelu_net", .input = {1, 8, 8}, .classes = 4, .graph = description});
  std::printf("rebuilt: %s\n", mn::to_graph(again) == description ? "the same layers" : "other layers");
  return registered && alone.ok() && whole.ok() ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "prelu: %s\n", error.what());
  return 1;
}
