#include "core/error.h"
#include "layers/activation.h"
#include "layers/concat.h"
#include "layers/gelu.h"
#include "layers/residual.h"
#include "models/graph.h"
#include "models/network.h"
#include "models/registry.h"
#include "tests/catch.h"
#include "tests/core/temporary_folder.h"
#include "tests/models/networks.h"

#include <algorithm>
#include <map>
#include <string>

using namespace minception;
using namespace minception::testing;

namespace {

/// y = scale * x, an outside layer with a setting.
class Scaled final : public Layer {
 public:
  struct Options {
    double scale = 1.0;

    template <class Self, class F>
    static void each_setting(Self& self, F&& f) {
      f("scale", self.scale);
    }
  };
  explicit Scaled(const Options& options) : options_(options) {}
  const Options& options() const { return options_; }

  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination) override {
    const Tensor zero = plan.activation(name() + ": zero", x.shape), y = output(plan, x, destination);
    plan.add(name(), Fill{.value = 0.0, .y = zero});
    plan.add(name(), AddForward{.scale = options_.scale, .a = zero, .b = x, .y = y});
    return y;
  }
  void backward(Plan&, const Tensor&, const GradTarget&) override {}

 private:
  Options options_;
};

/// A Residual whose branch has no name of its own.
Residual unnamed_branch() {
  Residual block("", std::make_unique<Sequential>(Sequential{{"conv1", Conv2d(8, 3, {.padding = 1})}}));
  block.project("shortcut", std::make_unique<Conv2d>(8, 1));
  return block;
}

Sequential every_layer() {
  return {
      Conv2d(8, 3, {.stride = 2, .padding = 1, .bias = false}),
      BatchNorm2d({.epsilon = 1e-3, .relu = true}),
      {"pool", MaxPool2d(3, {.stride = 2, .padding = {1, 0}, .ceil_mode = true})},
      LocalResponseNorm({.size = 3, .alpha = 0.5}),
      Residual({Conv2d(8, 3, {.padding = 1}), GELU()}, 0.25, true),
      {"down", Residual({Conv2d(8, 3, {.padding = 1})}, {Conv2d(8, 1), BatchNorm2d()})},
      {"block", unnamed_branch()},
      Concat({{"left", BasicConv2d({.out_channels = 4, .batch_norm = true})},
              {"right", Sequential({AvgPool2d(3, {.stride = 1, .padding = 1}), BasicConv2d({.out_channels = 2})})}}),
      Inception({.channels = {0, 4, 4, 4, 4, 4, 4}, .kind = InceptionKind::factorised, .factor = 3}),
      AdaptiveAvgPool2d({2, 1}),
      Flatten(),
      Linear(12),
      ReLU(),
      Dropout(0.25),
      {"fc", Linear(5)}};
}

std::string text_of(const Step& step) {
  std::string text = step.layer + " " + std::string(name_of(step.operation));
  for_each_operand(step.operation, [&](std::string_view role, const Tensor& tensor, Access) {
    text += concat(" ", role, tensor.shape.to_string(), tensor.pixel_stride);
  });
  return text;
}

std::map<std::string, Shape> shapes(const Model& model) {
  const auto backend = make_reference_backend();
  const Network network(clone(model), *backend, {.max_batch = 2, .plan_only = true});
  std::map<std::string, Shape> found;
  for (const Parameter& parameter : network.parameters().all()) found[parameter.name] = parameter.shape;
  return found;
}

}  // namespace

TEST_CASE("layers in a braced list take their sizes from what comes before and their names from their positions") {
  const Model model("own", every_layer(), {3, 20, 24}, 5);
  const auto found = shapes(model);
  CHECK(found.at("0.weight") == Shape{8, 3, 3, 3});
  CHECK(found.at("1.running_var") == Shape{8});
  CHECK(found.at("4.residual.0.weight") == Shape{8, 8, 3, 3});
  CHECK(found.at("down.residual.0.weight") == Shape{8, 8, 3, 3});
  CHECK(found.at("down.projection.1.running_mean") == Shape{8});
  CHECK(found.at("block.conv1.weight") == Shape{8, 8, 3, 3});
  CHECK(found.at("block.shortcut.weight") == Shape{8, 8, 1, 1});
  CHECK(found.at("7.right.1.conv.weight") == Shape{2, 8, 1, 1});
  CHECK(found.at("8.branch1.conv.weight") == Shape{4, 6, 1, 1});
  CHECK(found.at("11.weight") == Shape{12, 16 * 2});
  CHECK(found.at("fc.weight") == Shape{5, 12});
}

TEST_CASE("a graph restores every layer with all its settings") {
  const Model model("own", every_layer(), {3, 20, 24}, 5);
  const std::string text = to_graph(model);
  CHECK(to_graph(model_from_graph({.name = "own", .input = {3, 20, 24}, .classes = 5, .graph = text})) == text);
  CHECK(text.find(R"({"name":"0","type":"Conv2d","out_channels":8,"kernel":[3,3],"stride":[2,2],"padding":[1,1])") !=
        std::string::npos);
  CHECK(text.find(R"("kind":"factorised","factor":3)") != std::string::npos);
  CHECK(text.find(R"("branch":{"type":"Sequential","layers":[{"name":"conv1")") != std::string::npos);
  CHECK(text.find(R"("projection":{"name":"shortcut","type":"Conv2d")") != std::string::npos);
}

TEST_CASE("a size that was given and contradicts the input is an error before and after clone") {
  const auto backend = make_reference_backend();
  struct Wrong {
    Sequential layers;
    const char* message;
  };
  const auto net = [](NamedLayer wrong) {
    Sequential layers = {{"c1", Conv2d(8, 3)}};
    layers.add(wrong.name, std::move(wrong.layer));
    layers.add("pool", GlobalAvgPool()).add("fc", Linear(2));
    return layers;
  };
  Wrong cases[] = {
      {net({"c2", Conv2d(4, 3, {.in_channels = 16})}),
       "c2: in_channels is 16, but the input [N, 8, 30, 30] has 8 channels"},
      {net({"c2", BasicConv2d({.in_channels = 16, .out_channels = 4})}),
       "c2.conv: in_channels is 16, but the input [N, 8, 30, 30] has 8 channels"},
      {net({"bn", BatchNorm2d({.channels = 9})}), "bn: channels is 9, but the input [N, 8, 30, 30] has 8 channels"},
      {net({"mixed", Inception({.channels = {7, 4, 4, 4, 4, 4, 4}})}),
       "mixed: channels.in is 7, but the input [N, 8, 30, 30] has 8 channels"},
      {net({"block", Residual({{"c", Conv2d(8, 1, {.in_channels = 3})}})}),
       "block.residual.c: in_channels is 3, but the input [N, 8, 30, 30] has 8 channels"},
      {{GlobalAvgPool(), {"fc", Linear({.in_features = 5, .out_features = 2})}},
       "fc: in_features is 5, but the input [N, 3] has 3 features"},
      {{{"fc", Linear(2)}},
       "fc: Linear needs [N, features], but its input is [N, 3, 32, 32]; put Flatten() or GlobalAvgPool() before it"}};
  for (Wrong& wrong : cases) {
    Model model("own", std::move(wrong.layers), {3, 32, 32}, 2);
    CHECK(message_of([&] { Network(clone(clone(model)), *backend, {.plan_only = true}); }) == wrong.message);
    CHECK(message_of([&] { Network(std::move(model), *backend, {.plan_only = true}); }) == wrong.message);
  }
}

TEST_CASE("a graph holds sizes that were given and not those that follow from the input") {
  const auto backend = make_reference_backend();
  const auto text = [&](Sequential layers) {
    const Network network(Model("own", std::move(layers), {3, 8, 8}, 2), *backend, {.plan_only = true});
    return to_graph(network.model());  // after the sizes were inferred
  };
  const std::string inferred = text({Conv2d(4, 3), BatchNorm2d(), Flatten(), Linear(2)});
  for (const char* key : {"in_channels", "\"channels\"", "in_features"}) CHECK(inferred.find(key) == std::string::npos);
  CHECK_NOTHROW(Network(model_from_graph({.name = "own", .input = {1, 20, 9}, .classes = 2, .graph = inferred}),
                        *backend, {.plan_only = true}));
  const std::string given = text({Conv2d(2, 3, {.in_channels = 3}), BatchNorm2d({.channels = 2}), GlobalAvgPool()});
  CHECK(given.find(R"("in_channels":3,"out_channels":2)") != std::string::npos);
  CHECK(given.find(R"("channels":2)") != std::string::npos);
  CHECK(with_classes(given, 2, 5).find(R"("channels":5)") != std::string::npos);
}

TEST_CASE("a graph restores all models of the registry with the same operations") {
  const auto backend = make_reference_backend();
  for (const std::string& name : model_names()) {
    INFO(name);
    const ModelConfig config = default_config(name);
    const Model model = make_model(config);
    const Network by_name(make_model(config), *backend, {.max_batch = 1, .plan_only = true});
    const Network by_graph(clone(model), *backend, {.max_batch = 1, .plan_only = true});
    for (const Mode mode : {Mode::training, Mode::inference}) {
      const auto expected = by_name.plan(mode).steps(), found = by_graph.plan(mode).steps();
      REQUIRE(found.size() == expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        REQUIRE(text_of(found[i]) == text_of(expected[i]));
      }
    }
    CHECK(by_graph.parameters().flat_parameters() == by_name.parameters().flat_parameters());
  }
}

TEST_CASE("layers of an outside type need a registration and keep their settings") {
  const Model model("own", {Conv2d(2, 3), Scaled({.scale = 0.125}), GlobalAvgPool()}, {1, 5, 5}, 2);
  CHECK_THROWS_WITH(to_graph(model), Catch::Contains("the layer 1 has a type without a name") &&
                                         Catch::Contains("register_layer<TheLayer>(\"TheLayer\")"));
  CHECK_THROWS_WITH(register_layer<Scaled>("Conv2d"), Catch::Contains("'Conv2d' is already registered"));
  CHECK_THROWS_WITH(register_layer<Scaled>("Concat"), Catch::Contains("'Concat' is already registered"));
  CHECK_THROWS_WITH(register_layer<Scaled>(""), Catch::Contains("must have 1 to 100 characters"));
  CHECK_THROWS_WITH(register_layer<Scaled>("a\nb"), Catch::Contains("must have 1 to 100 characters"));
  CHECK_THROWS_WITH(register_layer<ReLU>("Rectifier"),
                    "register_layer: the type 'ReLU' cannot also be named 'Rectifier': files use one name for a type");
  CHECK(register_layer<Scaled>("Scaled"));
  CHECK(register_layer<Scaled>("Scaled"));
  const std::string text = to_graph(model);
  CHECK(text.find(R"({"name":"1","type":"Scaled","scale":0.125})") != std::string::npos);
  CHECK(to_graph(model_from_graph({.name = "own", .input = {1, 5, 5}, .classes = 2, .graph = text})) == text);
}

namespace {
struct Cubed {
  static constexpr const char* kName = "cubed";
  double factor = 1.0;

  template <class T>
  T value(T x) const {
    return T(factor) * x * x * x;
  }
  template <class T>
  T slope(T x) const {
    return T(3.0 * factor) * x * x;
  }
  template <class Self, class F>
  static void each_setting(Self& self, F&& f) {
    f("factor", self.factor);
  }
};
}  // namespace

TEST_CASE("an Activation of the user's own is stored with its settings") {
  register_layer<Activation<Cubed>>("Cubed");
  const Model model("own", {Conv2d(2, 3), Activation<Cubed>(Cubed{.factor = 0.5}), GlobalAvgPool()}, {1, 5, 5}, 2);
  const std::string text = to_graph(model);
  CHECK(text.find(R"({"name":"1","type":"Cubed","factor":0.5})") != std::string::npos);
  CHECK(to_graph(clone(model)) == text);
}

TEST_CASE("the last layers of a graph can get another number of classes") {
  const std::string text = to_graph(small_relative(true));
  const std::string other = with_classes(text, 4, 7);
  const auto found = shapes(model_from_graph({.name = "small", .input = {2, 12, 10}, .classes = 7, .graph = other}));
  CHECK(found.at("fc.weight")[0] == 7);
  CHECK(found.at("aux1.fc2.weight")[0] == 7);
  CHECK(found.at("aux1.fc1.weight")[0] == 24);
  CHECK(with_classes(text, 4, 4) == text);
  CHECK_THROWS_WITH(with_classes(text, 3, 7), Catch::Contains("its last layer, fc, has 4 outputs"));
}

TEST_CASE("a graph that is not valid is an error in one line") {
  const auto refusal = [](const std::string& graph) {
    std::string message;
    try {
      (void)model_from_graph({.name = "net", .input = {1, 8, 8}, .classes = 2, .graph = graph});
    } catch (const Error& error) {
      message = error.what();
    }
    CHECK(message.find('\n') == std::string::npos);
    return message;
  };
  CHECK_THAT(refusal("[]"), Catch::Contains("not a JSON object"));
  CHECK_THAT(refusal("{}"), Catch::Contains("net: lacks 'layers'"));
  CHECK_THAT(refusal(R"({"layers":{}})"), Catch::Contains("'layers' must be a list"));
  CHECK_THAT(refusal(R"({"layers":[3]})"), Catch::Contains("net: lacks 'name'"));
  CHECK_THAT(refusal(R"({"layers":[{"name":"a"}]})"), Catch::Contains("net, layer a: lacks 'type'"));
  CHECK_THAT(refusal(R"({"layers":[{"name":"a","type":"Conv"}]})"),
             Catch::Contains("net, layer a: unknown type 'Conv'; use a program that registers it (register_layer)"));
  CHECK_THAT(refusal(R"({"layers":[{"name":"a","type":"ReLU","slope":1}]})"),
             Catch::Contains("this layer has no settings"));
  CHECK_THAT(refusal(R"({"layers":[{"name":"a","type":"Linear","out":1}]})"), Catch::Contains("no setting 'out'"));
  CHECK_THAT(refusal(R"({"layers":[{"name":"a","type":"Linear","out_features":0}]})"),
             Catch::Contains("to 0 features"));
  CHECK_THAT(refusal(R"({"layers":[{"name":"a","type":"Linear","out_features":1.5}]})"),
             Catch::Contains("'out_features' has a value of another type"));
  CHECK_THAT(refusal(R"({"layers":[{"name":"a","type":"Conv2d","out_channels":1,"kernel":[1]}]})"),
             Catch::Contains("'kernel' must be"));
  CHECK_THAT(refusal(R"({"layers":[{"name":"a","type":"Residual","scale":1}]})"), Catch::Contains("lacks 'branch'"));
  const std::string block = R"({"layers":[{"name":"a","type":"Residual","scale":1,"relu":true,"branch":)";
  CHECK_THAT(refusal(block + R"({"type":"Conv"}}]})"), Catch::Contains("net, layer a, branch: unknown type 'Conv'"));
  CHECK_THAT(refusal(block + "3}]}"), Catch::Contains("net, layer a: lacks 'name'"));
  CHECK_THAT(refusal(block + R"({"type":"ReLU"},"projection":{"type":"ReLU"}}]})"),
             Catch::Contains("net, layer a: lacks 'name'"));
  CHECK_THAT(refusal(block + R"({"name":"p","type":"ReLU"},"projection":{"name":"p","type":"ReLU"}}]})"),
             Catch::Contains("both named 'p'"));
  CHECK(refusal(block + R"({"name":"residual","type":"ReLU"}}]})").empty());  // as written before projections
  std::string deep = R"({"layers":[]})";
  for (int i = 0; i < 40; ++i) deep = R"({"layers":[{"name":"x","type":"Sequential",)" + deep.substr(1) + "]}";
  CHECK_THAT(refusal(deep), Catch::Contains("more than 32 nested layers"));
  CHECK_THAT(refusal(R"({"layers":[{"name":"a\nb","type":"ReLU"}]})"), Catch::Contains("control character"));
  CHECK_THAT(refusal(R"({"layers":[{"name":"","type":"ReLU"}]})"), Catch::Contains("1 to 100 characters"));
  for (const char* number : {"1000001", "-1000001", "18446744073709551615"}) {
    CHECK_THAT(refusal(concat(R"({"layers":[{"name":"a","type":"Linear","out_features":)", number, "}]}")),
               Catch::Contains(concat("'out_features' is ", number)));
  }
  CHECK_THROWS_WITH(to_graph(Model()), Catch::Contains("has no body"));
  CHECK(refusal(R"({"layers":[]})").empty());  // the Network rejects it
}

TEST_CASE("a ReLU after a convolution or BatchNorm and a BatchNorm in inference take no step of their own") {
  const auto backend = make_reference_backend();
  const auto separate = [] {
    return Model("own",
                 {Conv2d(4, 3, {.bias = false}),
                  BatchNorm2d(),
                  ReLU(),
                  {"c", Conv2d(4, 3)},
                  ReLU(),
                  Residual({Conv2d(4, 3, {.padding = 1, .bias = false}), BatchNorm2d()}),
                  ReLU(),
                  Flatten(),
                  Linear(3)},
                 {1, 9, 9}, 3);
  };
  const Model fused("own",
                    {BasicConv2d({.out_channels = 4, .kernel = 3, .batch_norm = true}),
                     {"c", Conv2d(4, 3, {.relu = true})},
                     Residual({Conv2d(4, 3, {.padding = 1, .bias = false}), BatchNorm2d()}, 1.0, true),
                     Flatten(),
                     Linear(3)},
                    {1, 9, 9}, 3);
  Network a(separate(), *backend, {.max_batch = 2, .compute = DType::f64}),
      b(clone(fused), *backend, {.max_batch = 2, .compute = DType::f64});
  const auto names = [](const Network& network, Mode mode) {
    std::vector<std::string_view> found;
    for (const Step& step : network.plan(mode).steps()) found.push_back(name_of(step.operation));
    return found;
  };
  // Only the ReLU after the Residual stays a step: Residual does not fuse one.
  const auto count = [&](Mode mode, std::string_view name) {
    const auto all = names(a, mode);
    return std::count(all.begin(), all.end(), name);
  };
  CHECK(count(Mode::training, "relu_forward") == 1);
  CHECK(count(Mode::training, "relu_backward") == 1);
  CHECK(count(Mode::inference, "batch_norm_forward_inference") == 0);
  CHECK(count(Mode::inference, "fold_batch_norm") == 2);

  // The same weights give the same logits and gradients.
  a.initialize(Initialization::kaiming_normal, 3);
  std::map<std::string, FileTensor> state = a.state(), renamed;
  const std::map<std::string, std::string> names_of_b = {
      {"0.", "0.conv."}, {"1.", "0.bn."}, {"c.", "c."}, {"5.", "2."}, {"8.", "4."}};
  for (const auto& [name, tensor] : state) {
    for (const auto& [from, to] : names_of_b) {
      if (name.starts_with(from)) renamed[to + name.substr(from.size())] = tensor;
    }
  }
  b.load_state(renamed);
  const RandomBatch batch = random_batch(a.model().config, 2);
  for (Network* network : {&a, &b}) {
    network->set_input(Mode::training, batch.images, batch.labels);
    network->set_control(1, 0, 0.1f, 0.0f);
    network->train_step(2);
  }
  CHECK(a.logits(Mode::training, 2) == b.logits(Mode::training, 2));
  CHECK(a.gradients().at("0.weight") == b.gradients().at("0.conv.weight"));
  CHECK(a.state().at("8.weight") == b.state().at("4.weight"));
  for (Network* network : {&a, &b}) {
    network->set_input(Mode::inference, batch.images, batch.labels);
    network->infer(2);
  }
  CHECK(a.logits(Mode::inference, 2) == b.logits(Mode::inference, 2));
}
