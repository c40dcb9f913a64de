/// Mistakes in layers of users that check_gradients must find, and its report.

#include "layers/activation.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/gradient_check.h"
#include "layers/linear.h"
#include "models/gradient_check.h"
#include "tests/layers/swish.h"

#include "tests/catch.h"

#include <cmath>

using namespace minception;

namespace {

enum class Mistake { none, mask_forgotten, factors_swapped, overwrites, unmasked, gradient_missing };

/// y = a * max(0, b), with x = (a, b) along the channels;  da = dy * max(0, b),  db = dy * a * (b > 0).
class ReGLU final : public Layer {
 public:
  explicit ReGLU(Mistake mistake = Mistake::none)
      : forward_(std::make_shared<Forward>()), backward_(std::make_shared<Backward>(mistake)) {}

  Shape output_shape(const Shape& input) const override {
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
  struct Forward final : CustomOperation {
    const char* name() const override { return "reglu_forward"; }
    void run(const Custom& op, const RunContext&) const override {
      for_floating(op["x"], [&]<class T>() {
        const Elements<T> y(op["y"]);
        const std::int64_t half = op["y"].c();
        const Elements<const T> a(op["x"].channels(0, half)), b(op["x"].channels(half, half));
        for (std::int64_t i = 0; i < y.size(); ++i) y[i] = T(b[i] > 0 ? a[i] * b[i] : 0);
      });
    }
  };
  struct Backward final : CustomOperation {
    explicit Backward(Mistake planted) : mistake(planted) {}
    const char* name() const override { return "reglu_backward"; }
    void run(const Custom& op, const RunContext&) const override {
      for_floating(op["x"], [&]<class T>() {
        const Elements<const T> dy(op["dy"]);
        const std::int64_t half = op["dy"].c();
        const Elements<const T> a(op["x"].channels(0, half)), b(op["x"].channels(half, half));
        GradTarget target = op.target;
        if (mistake == Mistake::overwrites) target.accumulate = false;
        if (mistake == Mistake::unmasked) target.relu_output = {};
        const GradElements<T> da(target.channels(0, half)), db(target.channels(half, half));
        for (std::int64_t i = 0; i < dy.size(); ++i) {
          const bool passes = b[i] > 0 || mistake == Mistake::mask_forgotten;
          const bool swapped = mistake == Mistake::factors_swapped;
          da.put(i, passes ? dy[i] * (swapped ? a[i] : b[i]) : 0);
          if (mistake == Mistake::gradient_missing) continue;
          db.put(i, passes ? dy[i] * (swapped ? b[i] : a[i]) : 0);
        }
      });
    }
    Mistake mistake;
  };

  std::shared_ptr<const CustomOperation> forward_, backward_;
  Tensor x_;
};

GradientCheck check_reglu(Mistake mistake) {
  ReGLU layer(mistake);
  return check_gradients(layer, {3, 8, 4, 4});
}

/// Overwrites the gradient of its parameter, whatever BindOptions::accumulate says.
class OverwritingBackward final : public SwishBackward {
 public:
  void run(const Custom& op, const RunContext& context) const override {
    Custom overwriting = op;
    overwriting.accumulate = false;
    SwishBackward::run(overwriting, context);
  }
};

class OverwritingSwish final : public Layer {
 public:
  void register_parameters(ParameterTable& table, const std::string& name) override {
    Layer::register_parameters(table, name);
    weight_ = table.add({.name = name + ".weight", .shape = {5}, .role = ParameterRole::norm_weight});
  }
  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override {
    x_ = x;
    const Tensor y = output(plan, x, destination);
    plan.add(name(), swish_forward(x, plan.parameter(weight_), y));
    return y;
  }
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override {
    Custom op = swish_backward(x_, plan.parameter(weight_), dy, plan.gradient(weight_), target);
    op.operation = std::make_shared<OverwritingBackward>();
    plan.add(name(), std::move(op));
  }

 private:
  ParameterId weight_ = 0;
  Tensor x_;
};

struct LeakyReLU {
  static constexpr const char* kName = "leaky_relu";
  float negative_slope = 0.01f;
  template <class T>
  T value(T x) const {
    return x > 0 ? x : T(negative_slope) * x;
  }
  template <class T>
  T slope(T x) const {
    return x > 0 ? T(1) : T(negative_slope);
  }
};

Model small_model(Mistake mistake) {
  Model model;
  model.config = {.name = "small", .input = {1, 6, 6}, .classes = 3};
  model.body = std::make_unique<Sequential>();
  model.body->add<Conv2d>("conv", {.in_channels = 1, .out_channels = 8, .kernel = {3, 3}});
  model.body->add<Activation<LeakyReLU>>("act");
  model.body->add<ReGLU>("glu", mistake);
  model.body->add<Flatten>("flatten");
  model.body->add<Linear>("fc", {.in_features = 4 * 4 * 4, .out_features = 3});
  model.stages.push_back({"all", 0, model.body->size()});
  return model;
}

}  // namespace

TEST_CASE("check_gradients accepts correct layers and counts values", "[gradients]") {
  const GradientCheck check = check_reglu(Mistake::none);
  INFO(check.text());
  CHECK(check.ok());
  REQUIRE(check.tensors.size() == 1);
  CHECK(check.tensors[0].name == "x");
  CHECK(check.tensors[0].shape == Shape{3, 8, 4, 4});
  CHECK(check.tensors[0].checked + check.tensors[0].skipped == 24);
  CHECK(check.text() == "gradients: 24 values of 1 tensors checked, 0 skipped at kinks, all agree");
  Activation<LeakyReLU> activation({.negative_slope = 0.2f});
  CHECK(check_gradients(activation, {2, 5, 3, 4}).ok());
}

TEST_CASE("check_gradients finds a forgotten ReLU mask and names the values", "[gradients]") {
  const GradientCheck check = check_reglu(Mistake::mask_forgotten);
  INFO(check.text());
  CHECK_FALSE(check.ok());
  REQUIRE(!check.tensors[0].wrong.empty());
  for (const WrongGradient& wrong : check.tensors[0].wrong) {
    CHECK(wrong.numeric == 0.0);
    CHECK(wrong.analytic != 0.0);
  }
  CHECK_THAT(check.text(), Catch::Contains("x: ") && Catch::Contains(" are wrong\n    x[") &&
                               Catch::Contains("]: analytic ") && Catch::Contains(", numeric 0\n"));
}

TEST_CASE("check_gradients finds swapped factors", "[gradients]") {
  const GradientCheck check = check_reglu(Mistake::factors_swapped);
  INFO(check.text());
  CHECK_FALSE(check.ok());
  CHECK(check.tensors[0].wrong.size() > 6);
}

TEST_CASE("check_gradients finds a gradient that backward does not write", "[gradients]") {
  const GradientCheck check = check_reglu(Mistake::gradient_missing);
  CHECK_FALSE(check.ok());
  CHECK_THAT(check.text(), Catch::Contains("analytic nan"));
}

TEST_CASE("check_gradients finds gradients that are not accumulated or masked", "[gradients]") {
  const GradientCheck overwritten = check_reglu(Mistake::overwrites);
  REQUIRE(overwritten.problems.size() == 1);
  CHECK_THAT(
      overwritten.problems[0],
      Catch::StartsWith("x: backward does not add to the input gradient, in spite of GradTarget::accumulate: x["));
  CHECK(overwritten.tensors[0].wrong.empty());

  const GradientCheck unmasked = check_reglu(Mistake::unmasked);
  REQUIRE(unmasked.problems.size() == 1);
  CHECK_THAT(unmasked.problems[0],
             Catch::StartsWith("x: backward does not mask the input gradient by GradTarget::relu_output: x["));

  OverwritingSwish swish;
  const GradientCheck parameter = check_gradients(swish, {2, 5, 3, 4});
  REQUIRE(parameter.problems.size() == 1);
  CHECK_THAT(parameter.problems[0],
             Catch::StartsWith("layer.weight: backward does not add to the parameter gradient, in spite of "
                               "BindOptions::accumulate: layer.weight[0] is "));
}

TEST_CASE("check_gradients of a model finds the same mistakes", "[gradients]") {
  const GradientCheck check = check_gradients(small_model(Mistake::none));
  INFO(check.text());
  CHECK(check.ok());
  CHECK(check.tensors.size() == 4);
  for (const Mistake mistake : {Mistake::mask_forgotten, Mistake::factors_swapped}) {
    const GradientCheck faulty = check_gradients(small_model(mistake));
    INFO(faulty.text());
    CHECK_FALSE(faulty.ok());
    CHECK_THAT(faulty.text(), Catch::Contains("\n  conv.weight: "));  // below the mistake
    CHECK(faulty.text().find("\n  fc.") == std::string::npos);        // above it
  }
  CHECK(check_gradients(small_model(Mistake::mask_forgotten), {.only = {"fc.weight"}}).ok());
  CHECK_THROWS_WITH(check_gradients(small_model(Mistake::none), {.only = {"fc.wait"}}),
                    "no trained parameter is named fc.wait");
}

TEST_CASE("check_gradients names inconclusive tensors and small BatchNorms and unsuitable networks", "[gradients]") {
  Activation<LeakyReLU> zero({.negative_slope = 0.0f});
  const GradientCheck inconclusive = check_gradients(zero, {1, 4}, {.coordinates = 4});
  CHECK_THAT(inconclusive.text(), Catch::Contains("gradients are above the noise, too few to tell"));

  BatchNorm2d norm({.channels = 3});
  const auto no_step = [](std::vector<Operation>& backward) { backward.clear(); };
  CHECK_THAT(check_gradients(norm, {3, 3, 2, 2}, {.edit_backward = no_step}).text(),
             Catch::Contains("\n  hint: layer normalises 12 values per channel; use a batch or image with 16 or more"));

  const auto backend = make_reference_backend();
  Network network(small_model(Mistake::none), *backend, {.max_batch = 2});
  CHECK_THROWS_WITH(check_gradients(network, {.batch = 2}),
                    "a gradient check needs a network on the reference backend with NetworkOptions{.compute = "
                    "DType::f64, .reuse_memory = false}");
}
