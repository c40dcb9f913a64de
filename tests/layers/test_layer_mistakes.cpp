/// Mistakes in layers of users that planning must find, in every container and in check_gradients.

#include "core/random.h"
#include "kernels/elements.h"
#include "layers/batch_norm2d.h"
#include "layers/concat.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/relu.h"
#include "layers/residual.h"
#include "models/gradient_check.h"
#include "models/initialization.h"
#include "tests/core/temporary_folder.h"

#include "tests/catch.h"

#include <cmath>

using namespace minception;
using namespace minception::testing;

namespace {

enum class Mistake {
  none,
  ignores_destination,
  returns_nothing,
  shape_without_batch,
  one_channel_too_many,
  returns_other_shape,
  output_in_inputs,
  gradient_in_outputs,
  parameter_updated,
  no_input_gradient,
  unbounded,
};

/// y = x * w with one w, or a mistake.
class Scale final : public Layer {
 public:
  explicit Scale(Mistake mistake = Mistake::none) : mistake_(mistake) { forward_->mistake = mistake; }

  void register_parameters(ParameterTable& table, const std::string& name) override {
    Layer::register_parameters(table, name);
    weight_ = table.add({.name = name + ".weight", .shape = Shape{1}, .initial = 0.75});
  }
  Shape output_shape(const Shape& input) const override {
    Shape shape = input;
    if (mistake_ == Mistake::shape_without_batch) shape = {input[1], input.extent_or_1(2), input.extent_or_1(3)};
    if (mistake_ == Mistake::one_channel_too_many) ++shape[1];
    return shape;
  }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override {
    x_ = x;
    const Tensor y = mistake_ == Mistake::ignores_destination   ? plan.activation("y", x.shape)
                     : mistake_ == Mistake::returns_other_shape ? plan.activation("y", {x.shape[0], x.shape[1], 1, 1})
                                                                : output(plan, x, destination);
    Custom op{.operation = forward_, .inputs = {{"x", x}, {"w", plan.parameter(weight_)}}};
    (mistake_ == Mistake::output_in_inputs ? op.inputs : op.outputs).push_back({"y", y});
    if (mistake_ == Mistake::parameter_updated) {
      op.updated.push_back(op.inputs.back());
      op.inputs.pop_back();
    }
    plan.add(name(), op);
    return mistake_ == Mistake::returns_nothing ? Tensor{} : y;
  }
  void backward(Plan& plan, const Tensor& dy, const GradTarget& target) override {
    GradTarget dx = target;
    if (!dx.dx.defined() || mistake_ == Mistake::no_input_gradient) dx = {.dx = plan.activation("unused", x_.shape)};
    Custom op{.operation = backward_, .inputs = {{"x", x_}, {"w", plan.parameter(weight_)}, {"dy", dy}}, .target = dx};
    (mistake_ == Mistake::gradient_in_outputs ? op.outputs : op.gradients).push_back({"dw", plan.gradient(weight_)});
    plan.add(name(), op);
  }

 private:
  struct Forward final : CustomOperation {
    Mistake mistake = Mistake::none;
    const char* name() const override { return "scale_forward"; }
    void run(const Custom& op, const RunContext&) const override {
      const Elements<const double> x(op["x"]), w(op["w"]);
      const Elements<double> y(op["y"]);
      for (std::int64_t i = 0; i < y.size(); ++i) {
        y[i] = mistake == Mistake::unbounded ? std::log(std::abs(x[i] - x[0])) : x[i] * w[0];
      }
    }
  };
  struct Backward final : CustomOperation {
    const char* name() const override { return "scale_backward"; }
    void run(const Custom& op, const RunContext&) const override {
      const Elements<const double> x(op["x"]), w(op["w"]), dy(op["dy"]);
      const Elements<double> dw(op["dw"]);
      const GradElements<double> dx(op.target);
      double sum = op.accumulate ? dw[0] : 0.0;
      for (std::int64_t i = 0; i < x.size(); ++i) {
        sum += dy[i] * x[i];
        dx.put(i, dy[i] * w[0]);
      }
      dw[0] = sum;
    }
  };

  Mistake mistake_;
  std::shared_ptr<Forward> forward_ = std::make_shared<Forward>();
  std::shared_ptr<const CustomOperation> backward_ = std::make_shared<Backward>();
  ParameterId weight_ = 0;
  Tensor x_;
};

/// The error of planning `layers` in a network; they keep the shape.
std::string refusal(Sequential layers) {
  const auto backend = make_reference_backend();
  Sequential net = {{"conv", Conv2d(4, 3)}};
  net.add("net", std::move(layers));
  net.add("flatten", Flatten()).add("fc", Linear(2));
  Model model("own", std::move(net), {3, 6, 6}, 2);
  return message_of([&] { Network(std::move(model), *backend, {.max_batch = 1, .plan_only = true}); });
}

}  // namespace

TEST_CASE("containers find mistakes in forward, output_shape and backward of a layer") {
  const std::pair<Mistake, std::string> mistakes[] = {
      {Mistake::none, ""},
      {Mistake::returns_nothing, ": forward returned no tensor"},
      {Mistake::shape_without_batch,
       ": output_shape yields [4,4,4] for an input [1,4,4,4]: extent 0 must be the batch, 1"},
      {Mistake::returns_other_shape, ": forward returned a tensor [1,4,1,1], but output_shape yields [1,4,4,4]"},
      {Mistake::output_in_inputs,
       ": none of the operations of forward writes the tensor that it returns; is it in `outputs`?"},
      {Mistake::gradient_in_outputs, ": scale_backward: dw is the gradient of a parameter: list it in `gradients`"},
      {Mistake::parameter_updated, ": scale_forward: w is a parameter: list it in `inputs`"},
      {Mistake::no_input_gradient, ": none of the operations of backward writes the input gradient, target.dx"},
  };
  for (const auto& [mistake, message] : mistakes) {
    INFO(message);
    const auto at = [&, &ending = message](const char* layer) {
      return ending.empty() ? Catch::StartsWith("") : Catch::StartsWith(layer + ending);
    };
    CHECK_THAT(refusal({Scale(mistake)}), at("net.0"));
    CHECK(refusal({Scale(mistake)}).empty() == message.empty());
    CHECK_THAT(refusal({Residual({Scale(mistake)})}), at("net.0.residual.0"));
    CHECK_THAT(refusal({Residual("inner", std::make_unique<Scale>(mistake))}), at("net.0.inner"));
    CHECK_THAT(refusal({Residual({Conv2d(4, 1)}, {Scale(mistake)})}), at("net.0.projection.0"));
    CHECK_THAT(refusal({Concat({{"a", Scale(mistake)}, {"b", Conv2d(1, 1)}})}), at("net.0.a"));
  }
  CHECK(refusal({Concat({{"a", Scale(Mistake::ignores_destination)}, {"b", Conv2d(1, 1)}})}) ==
        "net.0.a: forward did not return its destination; write to output(plan, x, destination)");
  CHECK(refusal({Scale(Mistake::ignores_destination), ReLU()}).empty());  // no destination to ignore
}

TEST_CASE("check_gradients finds the mistakes of a layer alone and says where a loss became NaN", "[gradients]") {
  const auto check = [](Mistake mistake) {
    Scale layer(mistake);
    return check_gradients(layer, {2, 3, 4, 4});
  };
  CHECK(check(Mistake::none).ok());
  CHECK_THROWS_WITH(check(Mistake::shape_without_batch), Catch::StartsWith("layer: output_shape yields [3,4,4]"));
  CHECK_THROWS_WITH(check(Mistake::returns_nothing), "layer: forward returned no tensor");
  CHECK_THROWS_WITH(check(Mistake::output_in_inputs), Catch::Contains("is it in `outputs`?"));

  const GradientCheck wide = check(Mistake::one_channel_too_many);  // reads beyond x
  REQUIRE(wide.problems.size() == 1);
  CHECK_THAT(wide.problems[0],
             Catch::StartsWith("the loss is nan: layer (scale_forward): 32 of 128 values of y are not finite, y["));

  const GradientCheck infinite = check(Mistake::unbounded);
  CHECK_FALSE(infinite.ok());
  REQUIRE(infinite.problems.size() == 1);
  CHECK_THAT(infinite.problems[0],
             Catch::Contains("(scale_forward): 1 of 96 values of y are not finite, y[0,0,0,0] is -inf"));
}

TEST_CASE("check_gradients leaves out findings that follow from a wrong gradient", "[gradients]") {
  Conv2d conv(4, 3);
  const GradientCheck check =
      check_gradients(conv, {2, 3, 5, 5}, {.edit_backward = [](std::vector<Operation>& steps) { steps.clear(); }});
  CHECK_FALSE(check.tensors[0].wrong.empty());
  CHECK(check.problems.empty());
}

TEST_CASE("check_gradients hints at a bias before a BatchNorm", "[gradients]") {
  const auto model = [](bool bias) {
    return Model("own",
                 {{"conv", Conv2d(4, 3, {.bias = bias})}, {"bn", BatchNorm2d()}, ReLU(), Flatten(), {"fc", Linear(3)}},
                 {2, 7, 7}, 3);
  };
  const Model kept = model(false);
  CHECK(check_gradients(kept).ok());  // a const Model is cloned
  CHECK(kept.body->size() == 5);
  const GradientCheck check = check_gradients(model(true));
  CHECK_FALSE(check.ok());
  CHECK_THAT(check.text(), Catch::Contains("hint: bn subtracts the mean, so the bias of conv before it has no effect; "
                                           "leave it out (.bias = false)"));
}

TEST_CASE("parameters have an initial value or fans to draw it from") {
  ParameterTable table;
  const auto refused = [&](const Parameter& parameter) { return message_of([&] { table.add(parameter); }); };
  CHECK(refused({.name = "a.weight", .shape = {4, 2}}) ==
        "the parameter a.weight has fan_in 0: give fan_in and fan_out, from which initial values follow, or `initial`");
  CHECK_THAT(refused({.name = "a.bias", .shape = Shape{4}, .role = ParameterRole::bias, .fan_in = 3}),
             Catch::Contains("a.bias has fan_out 0"));
  CHECK_THAT(refused({.name = "", .shape = Shape{4}, .initial = 1.0}), Catch::Contains("has no name"));
  CHECK_THAT(refused({.name = "a", .shape = {4, 0}, .initial = 1.0}), Catch::Contains("[4,0] has no values"));
  CHECK_THAT(refused({.name = "a", .shape = Shape{4}, .initial = std::nan("")}), Catch::Contains("initial value nan"));
  CHECK(refused({.name = "a", .shape = Shape{3}, .initial = 0.25}).empty());
  CHECK_THAT(refused({.name = "a", .shape = Shape{3}, .initial = 0.25}),
             Catch::StartsWith("two parameters are named a:"));
  for (const auto how : {Initialization::xavier_uniform, Initialization::kaiming_normal}) {
    CHECK(initial_values(table[0], how, 1) == std::vector<double>(3, 0.25));
  }
}
