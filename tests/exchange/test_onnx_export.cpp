/// What the comparisons with runtimes (test_export.py) do not see: refusals, and layers of one's own.

#include "core/safetensors.h"
#include "exchange/onnx_export.h"
#include "exchange/onnx_messages.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/basic_conv2d.h"
#include "layers/concat.h"
#include "layers/gelu.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "models/graph.h"
#include "models/network.h"
#include "tests/catch.h"
#include "tests/core/temporary_folder.h"

#include <filesystem>
#include <string>
#include <vector>

using namespace minception;
using namespace minception::exchange;
using minception::testing::TemporaryFolder;

namespace {

struct Square {
  static constexpr const char* kName = "square";
  template <class T>
  T value(T x) const {
    return x * x;
  }
  template <class T>
  T slope(T x) const {
    return 2 * x;
  }
};

/// A layer of one's own that consists of built-in operations: y = gelu(x) + x.
class SkippedGelu final : public Layer {
 public:
  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override {
    const Tensor y = output(plan, x, destination), inner = plan.activation(name() + ": gelu", x.shape);
    plan.add(name(), GeluForward{.x = x, .y = inner});
    plan.add(name(), AddForward{.a = x, .b = inner, .y = y});
    return y;
  }
  void backward(Plan&, const Tensor&, const GradTarget&) override {}
};

/// A layer that reads some of the channels that another one wrote.
class FirstChannel final : public Layer {
 public:
  Shape output_shape(const Shape& input) const override { return {input[0], 1, input[2], input[3]}; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override {
    const Tensor y = output(plan, x, destination);
    plan.add(name(), ReluForward{.x = x.channels(0, 1), .y = y});
    return y;
  }
  void backward(Plan&, const Tensor&, const GradTarget&) override {}
};

/// y = [gelu(x), relu(x)], written from the last channel to the first.
class Backwards final : public Layer {
 public:
  Shape output_shape(const Shape& input) const override { return {input[0], 2 * input[1], input[2], input[3]}; }
  Tensor forward(Plan& plan, const Tensor& x, const Tensor& destination = {}) override {
    const Tensor y = output(plan, x, destination);
    plan.add(name() + ".relu", ReluForward{.x = x, .y = y.channels(x.c(), x.c())});
    plan.add(name() + ".gelu", GeluForward{.x = x, .y = y.channels(0, x.c())});
    return y;
  }
  void backward(Plan&, const Tensor&, const GradTarget&) override {}
};

const bool registered = register_layer<Activation<Square>>("Square") && register_layer<SkippedGelu>("SkippedGelu") &&
                        register_layer<FirstChannel>("FirstChannel") && register_layer<Backwards>("Backwards");

struct Made {
  std::unique_ptr<Backend> backend = make_backend("reference");
  Network network;

  explicit Made(Sequential layers, const Shape& input = {2, 6, 6})
      : network(Model("made", std::move(layers), input, 3), *backend, {.max_batch = 1, .training = false}) {
    network.initialize(Initialization::kaiming_normal, 1);
  }
};

const std::vector<std::string> kClasses = {"a", "b", "c"};

std::string refusal(const Network& network, const OnnxExportOptions& options = {}) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "model.onnx";
  try {
    export_onnx(network, kClasses, path, options);
  } catch (const Error& error) {
    return std::filesystem::exists(path) ? "the file was written" : error.what();
  }
  return "no error";
}

std::vector<std::string> nodes(const onnx::ModelProto& model) {
  std::vector<std::string> names;
  for (const onnx::NodeProto& node : model.graph().node()) {
    std::string text = node.op_type() + " " + node.name() + "(";
    for (int i = 0; i < node.input_size(); ++i) text += (i == 0 ? "" : ", ") + node.input(i);
    names.push_back(text + ") -> " + node.output(0));
  }
  return names;
}

}  // namespace

TEST_CASE("export_onnx names layer and operation without a counterpart") {
  REQUIRE(registered);
  Made custom({{"conv", Conv2d(4, 3)}, {"act", Activation<Square>()}, {"pool", GlobalAvgPool()}, {"fc", Linear(3)}});
  CHECK(refusal(custom.network) == "act: the operation square_forward has no counterpart in ONNX");
  Made even(
      {{"conv", Conv2d(4, 3)}, {"norm", LocalResponseNorm({.size = 4})}, {"pool", GlobalAvgPool()}, {"fc", Linear(3)}});
  CHECK(refusal(even.network) ==
        "norm: local_response_norm_forward over 4 channels has no counterpart in ONNX, whose windows of an even size "
        "begin "
        "one channel later");
  Made part({{"conv", Conv2d(4, 3)}, {"part", FirstChannel()}, {"pool", GlobalAvgPool()}, {"fc", Linear(3)}});
  CHECK(refusal(part.network) ==
        "part: reads [1,1,4,4], which another layer wrote in other parts or another shape; ONNX export needs tensors "
        "that "
        "are read as they are written");
}

TEST_CASE("export_onnx needs the size of images for preprocessing") {
  Made made({{"pool", GlobalAvgPool()}, {"fc", Linear(3)}});
  CHECK(refusal(made.network, {.preprocessing = true}) ==
        "preprocessing can only be exported with NetworkOptions::dataset_image, the size of its images");
}

TEST_CASE("export_onnx writes layers of one's own that consist of built-in operations") {
  Made made({{"skip", SkippedGelu()}, {"pool", GlobalAvgPool()}, {"fc", Linear(3)}});
  CHECK(nodes(to_onnx(made.network, made.network.averaged_state(), kClasses, {})) ==
        std::vector<std::string>{"Div skip.div(input, skip.sqrt2) -> skip.div", "Erf skip.erf(skip.div) -> skip.erf",
                                 "Add skip.add(skip.erf, skip.one) -> skip.add",
                                 "Mul skip.mul(input, skip.add) -> skip.mul", "Mul skip(skip.mul, skip.half) -> skip",
                                 "Add skip_2(input, skip) -> skip_2", "GlobalAveragePool pool(skip_2) -> pool",
                                 "Flatten pool.flatten(pool) -> pool.flatten",
                                 "Gemm fc(pool.flatten, fc.weight, fc.bias) -> logits"});
}

TEST_CASE("export_onnx joins parts by channel, not in the order in which they are written") {
  Made made({{"parts", Backwards()}, {"pool", GlobalAvgPool()}, {"fc", Linear(3)}});
  const std::vector<std::string> names = nodes(to_onnx(made.network, made.network.averaged_state(), kClasses, {}));
  REQUIRE(names.size() == 10);
  CHECK(names[6] == "Concat parts(parts.gelu, parts.relu) -> parts");
}

TEST_CASE("export_onnx joins the branches of nested Concat layers in their order") {
  Concat inner = {{"left", Conv2d(2, 1, {.relu = true})}, {"right", Conv2d(1, 1)}};
  Made made({{"parts", Concat{{"first", Conv2d(1, 1)}, {"second", std::move(inner)}}},
             {"pool", GlobalAvgPool()},
             {"fc", Linear(3)}});
  const std::vector<std::string> names = nodes(to_onnx(made.network, made.network.averaged_state(), kClasses, {}));
  REQUIRE(names.size() == 8);
  CHECK(names[4] == "Concat parts(parts.first, parts.second.left.relu, parts.second.right) -> parts");
}
