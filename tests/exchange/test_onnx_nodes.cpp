/// Constants that nodes make, and nodes that become part of a layer. Logits are compared in test_models.py.

#include "models/graph.h"
#include "tests/catch.h"
#include "tests/exchange/small_network.h"

#include <nlohmann/json.hpp>

using namespace minception;
using namespace minception::exchange;
using namespace minception::testing;

namespace {

WeightsFile imported(const Change& change) {
  onnx::ModelProto model = small();
  change(model);
  const TemporaryFolder folder;
  const std::string bytes = model.SerializeAsString();
  write_file_atomically(folder.path() / "model.onnx", std::as_bytes(std::span(bytes)));
  return import_onnx(folder.path() / "model.onnx");
}

std::vector<std::string> types_of(const WeightsFile& weights) {
  std::vector<std::string> types;
  const auto graph = nlohmann::json::parse(weights.config.graph);
  for (const auto& layer : graph["layers"]) types.push_back(layer["type"]);
  return types;
}

/// Adds a node before the one at `position`.
onnx::NodeProto& insert(onnx::ModelProto& model, int position, const std::string& op,
                        const std::vector<std::string>& inputs) {
  auto& nodes = *model.mutable_graph()->mutable_node();
  onnx::NodeProto& added = *nodes.Add();
  added.set_op_type(op);
  added.set_name("new" + std::to_string(nodes.size()));
  for (const std::string& input : inputs) added.add_input(input);
  added.add_output(added.name());
  for (int i = nodes.size() - 1; i > position; --i) nodes.SwapElements(i, i - 1);
  return *nodes.Mutable(position);
}

std::string constant(onnx::ModelProto& model, const std::string& name, const Shape& shape, std::vector<float> values) {
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (int axis = 0; axis < shape.rank(); ++axis) tensor.add_dims(shape[axis]);
  for (const float value : values) tensor.add_float_data(value);
  return name;
}

std::string constant(onnx::ModelProto& model, const std::string& name, const Integers& values) {
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  for (const std::int64_t value : values) tensor.add_int64_data(value);
  return name;
}

/// The weights of conv come from ConstantOfShape.
void fill_conv(onnx::ModelProto& m, const Integers& shape, const std::vector<float>& value) {
  onnx::NodeProto& made = insert(m, 0, "ConstantOfShape", {constant(m, "shape", shape)});
  made.set_name("made");
  if (!value.empty()) {
    onnx::AttributeProto& given = *made.add_attribute();
    given.set_name("value");
    given.set_type(onnx::AttributeProto::TENSOR);
    given.mutable_t()->set_data_type(onnx::TensorProto::FLOAT);
    given.mutable_t()->add_dims(static_cast<std::int64_t>(value.size()));
    for (const float each : value) given.mutable_t()->add_float_data(each);
  }
  node(m, "conv").set_input(1, made.output(0));
}

/// A BatchNormalization with weight 2, bias 3, mean 4 and variance 5 after conv.
std::string add_norm(onnx::ModelProto& m) {
  const auto four = [&](const char* name, float value) {
    return constant(m, name, Shape{4}, std::vector<float>(4, value));
  };
  const std::string norm =
      insert(m, 1, "BatchNormalization",
             {"conv", four("n.weight", 2.0f), four("n.bias", 3.0f), four("n.mean", 4.0f), four("n.var", 5.0f)})
          .output(0);
  node(m, "relu").set_input(0, norm);
  return norm;
}

}  // namespace

TEST_CASE("import_onnx: ConstantOfShape makes weights") {
  const WeightsFile filled = imported([](onnx::ModelProto& m) { fill_conv(m, {4, 2, 3, 3}, {0.25f}); });
  const auto found = std::find_if(filled.tensors.begin(), filled.tensors.end(), [](const auto& tensor) {
    return tensor.second.shape == Shape({4, 2, 3, 3});
  });
  REQUIRE(found != filled.tensors.end());
  CHECK(to_doubles(found->second) == std::vector<double>(72, 0.25));
  const WeightsFile zeros = imported([](onnx::ModelProto& m) { fill_conv(m, {4, 2, 3, 3}, {}); });
  CHECK(to_doubles(zeros.tensors.at(found->first)) == std::vector<double>(72, 0.0));

  const auto said = [](const Integers& shape, const std::vector<float>& value) {
    return changed([&](onnx::ModelProto& m) { fill_conv(m, shape, value); });
  };
  const std::string too_large = "node made (ConstantOfShape): makes a tensor that is negative or larger than 2 GiB";
  CHECK(said({4, 2, 3, 1'000'000'000}, {1.0f}) == too_large);
  CHECK(said({INT64_MAX, INT64_MAX, INT64_MAX}, {1.0f}) == too_large);
  CHECK(said({4, 2, -3, 3}, {1.0f}) == too_large);
  CHECK(said(Integers(30, 1), {1.0f}) == "node made (ConstantOfShape): makes a tensor of 30 axes");
  CHECK(said({4, 2, 3, 3}, {1.0f, 2.0f}) == "node made (ConstantOfShape): its value is [2] instead of one number");
  CHECK(said({4, 2, 0, 3}, {1.0f}) == "node conv (Conv): its weights are [4,2,0,3] instead of (O, I, KH, KW)");
}

TEST_CASE("import_onnx: Reshape and Unsqueeze of weights") {
  const auto reshaped = [](const Integers& shape) {
    return [=](onnx::ModelProto& m) {
      const std::string& flat = constant(m, "flat", Shape{12}, std::vector<float>(12, 0.5f));
      const std::string made = insert(m, 4, "Reshape", {flat, constant(m, "to", shape)}).output(0);
      node(m, "fc").set_input(1, made);
    };
  };
  for (const Integers& shape : {Integers{3, 4}, Integers{3, -1}}) {
    const WeightsFile weights = imported(reshaped(shape));
    CHECK(to_doubles(weights.tensors.at("fc.weight")) == std::vector<double>(12, 0.5));
  }
  CHECK(changed(reshaped({5, -1})) == "node new6 (Reshape): makes another number of elements of a constant [12]");
  CHECK(changed(reshaped({3, 5})) == "node new6 (Reshape): makes another number of elements of a constant [12]");
  CHECK(changed(reshaped({-1, -1})) == "node new6 (Reshape): has an extent of -1");
  CHECK(changed(reshaped({3, INT64_MAX})) == "node new6 (Reshape): has an extent of 9223372036854775807");
  CHECK(changed(reshaped({0, 4, 0})) == "node new6 (Reshape): has an extent of 0");
}

TEST_CASE("import_onnx: a factor and a summand per channel become part of the BatchNormalization before") {
  const auto scaled = [](const Integers& axes) {
    return [=](onnx::ModelProto& m) {
      const std::string norm = add_norm(m);
      const std::string factor = constant(m, "factor", Shape{4}, {1.0f, 2.0f, 3.0f, 4.0f});
      onnx::NodeProto& raised = insert(m, 2, "Unsqueeze", {factor});
      onnx::AttributeProto& along = *raised.add_attribute();
      along.set_name("axes");
      along.set_type(onnx::AttributeProto::INTS);
      for (const std::int64_t axis : axes) along.add_ints(axis);
      const std::string product = insert(m, 3, "Mul", {norm, raised.output(0)}).output(0);
      const std::string summand = constant(m, "summand", {1, 4, 1, 1}, {0.5f, 0.5f, 0.5f, 1.5f});
      const std::string sum = insert(m, 4, "Add", {summand, product}).output(0);
      node(m, "relu").set_input(0, sum);
    };
  };
  const WeightsFile weights = imported(scaled({1, 2}));
  CHECK(types_of(weights) == std::vector<std::string>{"Conv2d", "BatchNorm2d", "ReLU", "GlobalAvgPool", "Linear"});
  CHECK(to_doubles(weights.tensors.at("n.weight")) == std::vector<double>{2.0, 4.0, 6.0, 8.0});
  CHECK(to_doubles(weights.tensors.at("n.bias")) == std::vector<double>{3.5, 6.5, 9.5, 13.5});
  CHECK(to_doubles(weights.tensors.at("n.running_var")) == std::vector<double>(4, 5.0));
  CHECK(imported(scaled({-2, -1})).tensors.at("n.weight") == weights.tensors.at("n.weight"));

  CHECK(changed(scaled({1, 7})) == "node new7 (Unsqueeze): adds the axis 7 of 3");
  // (1, 1, 4) is no number per channel.
  CHECK(changed(scaled({0, 1})).starts_with("node new8 (Mul): computes with a constant of shape [1,1,4], which is"));
  CHECK(changed([](onnx::ModelProto& m) {  // the output of the norm has another reader
          const std::string norm = add_norm(m);
          const std::string factor = constant(m, "factor", {4, 1, 1}, {1.0f, 2.0f, 3.0f, 4.0f});
          const std::string product = insert(m, 2, "Mul", {norm, factor}).output(0);
          node(m, "relu").set_input(0, insert(m, 3, "Add", {product, norm}).output(0));
        })
            .starts_with("node new7 (Mul): computes with a constant of shape [4,1,1], which is"));
}

TEST_CASE("import_onnx: Sum of two values is a residual connection") {
  const auto sum = [](int count) {
    return [=](onnx::ModelProto& m) {
      const std::string relu = insert(m, 1, "Relu", {"conv"}).output(0);
      std::vector<std::string> parts = {"conv"};
      while (static_cast<int>(parts.size()) < count) parts.push_back(relu);
      node(m, "relu").set_input(0, insert(m, 2, "Sum", parts).output(0));
    };
  };
  CHECK(types_of(imported(sum(2))) == std::vector<std::string>{"Conv2d", "Residual", "GlobalAvgPool", "Linear"});
  CHECK(types_of(imported(sum(1))) == std::vector<std::string>{"Conv2d", "ReLU", "GlobalAvgPool", "Linear"});
  CHECK(changed(sum(3)) == "node new7 (Sum): adds 3 values; two are supported");
}

TEST_CASE("import_onnx: logits (N, classes, 1, 1), with and without Softmax") {
  for (const bool softmax : {false, true}) {
    const WeightsFile weights = imported([&](onnx::ModelProto& m) {
      onnx::GraphProto& graph = *m.mutable_graph();
      graph.mutable_node()->DeleteSubrange(3, 2);  // flatten, fc
      if (softmax) {
        onnx::NodeProto& last = insert(m, 3, "Softmax", {"pool"});
        onnx::AttributeProto& axis = *last.add_attribute();
        axis.set_name("axis");
        axis.set_type(onnx::AttributeProto::INT);
        axis.set_i(1);
        graph.mutable_output(0)->set_name(last.output(0));
      } else {
        graph.mutable_output(0)->set_name("pool");
      }
    });
    CHECK(types_of(weights) == std::vector<std::string>{"Conv2d", "ReLU", "GlobalAvgPool"});
    CHECK(weights.config.classes == 4);
  }
}

TEST_CASE("import_onnx: an AveragePool whose one window covers the image is the mean of it") {
  const auto pooled = [](std::int64_t after, bool counts) {
    return [=](onnx::ModelProto& m) {
      onnx::NodeProto& pool = node(m, "pool");
      pool.set_op_type("AveragePool");
      const auto add = [&](const char* name, const Integers& values) {
        onnx::AttributeProto& attribute = *pool.add_attribute();
        attribute.set_name(name);
        attribute.set_type(onnx::AttributeProto::INTS);
        for (const std::int64_t value : values) attribute.add_ints(value);
      };
      add("kernel_shape", {7, 7});
      add("pads", {0, 0, after, after});
      if (counts) {
        onnx::AttributeProto& attribute = *pool.add_attribute();
        attribute.set_name("count_include_pad");
        attribute.set_type(onnx::AttributeProto::INT);
        attribute.set_i(1);
      }
    };
  };
  CHECK(types_of(imported(pooled(1, false))) == std::vector<std::string>{"Conv2d", "ReLU", "GlobalAvgPool", "Linear"});
  CHECK(changed(pooled(2, false)) == "node pool (AveragePool): its padding at the end has no counterpart");
  CHECK(changed(pooled(1, true)).starts_with("node pool (AveragePool): counts padding that is not the same"));
}

TEST_CASE("import_onnx names the operator of a file that has none of ours") {
  CHECK(changed([](onnx::ModelProto& m) {
          m.mutable_opset_import(0)->set_domain("ai.onnx.ml");
          for (onnx::NodeProto& each : *m.mutable_graph()->mutable_node()) each.set_domain("ai.onnx.ml");
        }) == "node conv (Conv): operators of the domain ai.onnx.ml are not supported");
  // Before anything is said about the input.
  CHECK(changed([](onnx::ModelProto& m) {
          node(m, "relu").set_op_type("Tanh");
          m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->clear_dim();
        }).starts_with("node relu (Tanh): this operator is not supported"));
}
