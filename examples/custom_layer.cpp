/// A layer with an operation of its own, and a check of its gradients:
///
///   custom_layer                    the gradients of the layer and of a model with it agree with central differences
///   custom_layer --forget-mask      plants a mistake in backward; the check finds it, and the program exits with 1
///   custom_layer --swap-factors     another mistake

#include <minception/core/error.h>
#include <minception/kernels/elements.h>
#include <minception/layers/conv2d.h>
#include <minception/layers/flatten.h>
#include <minception/layers/linear.h>
#include <minception/models/gradient_check.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

using namespace minception;

namespace {

enum class Mistake { none, forget_mask, swap_factors };

/// y = a * max(0, b).   x = (a, b), halves of the channels.
struct ReGLUForward : CustomOperation {
  const char* name() const override { return "reglu_forward"; }

  void run(const Custom& op, const RunContext& context) const override {
    for_floating(op["x"], [&]<class T>() {
      const std::int64_t half = op["y"].c();
      const Elements<const T> a(op["x"].channels(0, half)), b(op["x"].channels(half, half));
      const Elements<T> y(op["y"]);
      context.parallel(y.size(), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) y[i] = b[i] > 0 ? T(a[i] * b[i]) : T(0);
      });
    });
  }
};

/// da = dy * max(0, b),  db = dy * a * (b > 0).
struct ReGLUBackward : CustomOperation {
  explicit ReGLUBackward(Mistake planted) : mistake(planted) {}
  const char* name() const override { return "reglu_backward"; }

  void run(const Custom& op, const RunContext& context) const override {
    for_floating(op["x"], [&]<class T>() {
      const std::int64_t half = op["dy"].c();
      const Elements<const T> a(op["x"].channels(0, half)), b(op["x"].channels(half, half)), dy(op["dy"]);
      const GradElements<T> da(op.target.channels(0, half)), db(op.target.channels(half, half));
      context.parallel(dy.size(), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const bool passes = b[i] > 0 || mistake == Mistake::forget_mask;
          const bool swapped = mistake == Mistake::swap_factors;
          da.put(i, passes ? dy[i] * (swapped ? a[i] : b[i]) : T(0));
          db.put(i, passes ? dy[i] * (swapped ? b[i] : a[i]) : T(0));
        }
      });
    });
  }

  Mistake mistake;
};

/// Gated linear unit with a ReLU (Shazeer 2020, arXiv 2002.05202): y = a * max(0, b). Backward needs x.
class ReGLU final : public Layer {
 public:
  explicit ReGLU(Mistake mistake) : backward_(std::make_shared<ReGLUBackward>(mistake)) {}

  Shape output_shape(const Shape& input) const override {
    require(input.rank() >= 2 && input[1] % 2 == 0, name(), ": an input of ", input, " has no two halves of channels");
    Shape output = input;
    output[1] /= 2;
    return output;
  }
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
  std::shared_ptr<const CustomOperation> forward_ = std::make_shared<ReGLUForward>(), backward_;
  Tensor x_;
};

Model gated_network(Mistake mistake) {
  Model model;
  model.config = {.name = "gated", .input = {1, 8, 8}, .classes = 4};
  model.body = std::make_unique<Sequential>();
  model.body->add<Conv2d>("conv", {.in_channels = 1, .out_channels = 12, .kernel = {3, 3}});
  model.body->add<ReGLU>("glu", mistake);
  model.body->add<Flatten>("flatten");
  model.body->add<Linear>("fc", {.in_features = 6 * 6 * 6, .out_features = 4});
  model.stages.push_back({"all", 0, model.body->size()});
  return model;
}

bool report(const char* what, const GradientCheck& check) {
  std::printf("%s: %s\n", what, check.text().c_str());
  return check.ok();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string option = argc > 1 ? argv[1] : "";
    require(argc <= 2 && (option.empty() || option == "--forget-mask" || option == "--swap-factors"),
            "usage: custom_layer [--forget-mask | --swap-factors]");
    const Mistake mistake = option.empty()              ? Mistake::none
                            : option == "--forget-mask" ? Mistake::forget_mask
                                                        : Mistake::swap_factors;
    ReGLU layer(mistake);
    const bool layer_ok = report("layer", check_gradients(layer, {4, 6, 5, 5}));
    const bool model_ok = report("model", check_gradients(gated_network(mistake)));
    return layer_ok && model_ok ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "custom_layer: %s\n", error.what());
    return 1;
  }
}
